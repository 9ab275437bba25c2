#include "adapters/linux/trusted_file.hpp"

#include <sys/stat.h>

#include <fstream>

#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

class TrustedFile : public Scratch {
 protected:
  std::string make(const std::string& name, const std::string& text = "x = 1\n") const {
    const std::string path = folder_ + '/' + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0644);
    return path;
  }
};

TEST_F(TrustedFile, IsRead) { EXPECT_EQ(read_trusted_file(make("a")).value(), "x = 1\n"); }

TEST_F(TrustedFile, ThatOthersCanWriteIsRefusedByName) {
  const auto path = make("a");
  for (const mode_t mode : {0664U, 0646U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto text = read_trusted_file(path);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().code, Errc::bad_config);
    EXPECT_NE(text.error().what.find(path), std::string::npos);
  }
}

TEST_F(TrustedFile, InADirectoryThatOthersCanWriteIsRefusedByName) {
  const auto path = make("open/deep/a");
  ASSERT_EQ(::chmod((folder_ + "/open").c_str(), 0777), 0);
  EXPECT_NE(read_trusted_file(path).error().what.find(folder_ + "/open can be written"), std::string::npos);
}

TEST_F(TrustedFile, OfAnotherUserIsRefused) {
  const auto path = make("a");
  ASSERT_EQ(::chown(path.c_str(), 1000, 1000), 0);
  EXPECT_EQ(read_trusted_file(path).error().code, Errc::bad_config);
}

TEST_F(TrustedFile, ThatIsNoFileNeverBlocks) {
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read_trusted_file(fifo).error().code, Errc::bad_config);
  EXPECT_EQ(read_trusted_file("/dev/zero").error().code, Errc::bad_config);
  EXPECT_EQ(read_trusted_file("relative").error().code, Errc::bad_config);
  EXPECT_EQ(read_trusted_file(folder_ + "/absent").error().code, Errc::not_found);
}

TEST_F(TrustedFile, ThatIsTooLargeIsRefused) {
  EXPECT_NE(read_trusted_file(make("a", std::string(2 << 20, 'x'))).error().what.find("1 MiB"),
            std::string::npos);
}

}  // namespace
}  // namespace cib::test
