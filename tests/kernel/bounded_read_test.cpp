#include "adapters/linux/bounded_read.hpp"

#include <fcntl.h>

#include <array>
#include <fstream>

#include "adapters/linux/unique_fd.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

struct BoundedRead : Scratch {
  std::string make(std::size_t size) const {
    const std::string path = folder_ + "/file";
    std::ofstream(path) << std::string(size, 'x');
    return path;
  }
};

TEST_F(BoundedRead, TakesAsMuchAsTheLimitAndRefusesOneByteMore) {
  constexpr std::size_t limit = 40UL * 1024;  // some buffers
  EXPECT_EQ(read_small_file(make(limit), limit).value(), std::string(limit, 'x'));
  const auto refused = read_small_file(make(limit + 1), limit);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "read " + folder_ + "/file: larger than 40 KiB");
}

TEST_F(BoundedRead, CutsOffWhereItIsAskedFor) {
  const UniqueFd file(::open(make(100).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_up_to(file.get(), "it", 60).value().size(), 60U);
  EXPECT_EQ(read_up_to(file.get(), "it", 60).value().size(), 40U) << "it goes on where the file stands";
}

TEST_F(BoundedRead, NamesWhatCannotBeRead) {
  EXPECT_EQ(read_small_file(folder_ + "/absent").error().message(),
            "open " + folder_ + "/absent: No such file or directory");
  EXPECT_EQ(read_small_file(folder_).error().message(), "read " + folder_ + ": Is a directory");
}

TEST_F(BoundedRead, EndsALineAtItsNewline) {
  const std::string path = folder_ + "/file";
  for (const char* text : {"a b \nc\n", "a b \n", "a b "}) {
    std::ofstream(path) << text;
    EXPECT_EQ(read_first_line(path).value(), "a b ") << text;
  }
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    reading = UniqueFd(ends[0]);
    writing = UniqueFd(ends[1]);
    (void)!::write(writing.get(), "said", 4);
  }
  UniqueFd reading, writing;
};

TEST(ReadPipe, EndsWhenTheOtherEndIsClosed) {
  Pipe pipe;
  pipe.writing.reset();
  const Said said = read_pipe(pipe.reading.get(), 100, 10'000);
  EXPECT_EQ(said.text, "said");
  EXPECT_TRUE(said.whole);
}

TEST(ReadPipe, KeepsWhatWasSaidInTime) {
  Pipe pipe;
  const Said said = read_pipe(pipe.reading.get(), 100, 10);
  EXPECT_EQ(said.text, "said");
  EXPECT_FALSE(said.whole);
}

TEST(ReadPipe, CutsOffAtTheLimit) {
  Pipe pipe;
  pipe.writing.reset();
  const Said said = read_pipe(pipe.reading.get(), 3, 10'000);
  EXPECT_EQ(said.text, "sai");
  EXPECT_FALSE(said.whole);
}

}  // namespace
}  // namespace cib::test
