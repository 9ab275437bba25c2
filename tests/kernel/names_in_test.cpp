#include "adapters/linux/names_in.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <fstream>

#include "adapters/linux/process.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

using testing::Contains;
using testing::ElementsAre;

struct NamesIn : Scratch {
  void SetUp() override {
    Scratch::SetUp();
    for (const char* name : {"b", "c", ".hidden"}) std::ofstream(folder_ + '/' + name) << "x";
    for (const char* name : {"a", "d"}) std::filesystem::create_directory(folder_ + '/' + name);
  }
};

TEST_F(NamesIn, AreSortedAndNoneIsHidden) {
  EXPECT_THAT(names_in(folder_).value(), ElementsAre("a", "b", "c", "d"));
  const UniqueFd folder(::open(folder_.c_str(), O_PATH | O_CLOEXEC));
  EXPECT_THAT(names_in(folder.get(), ".").value(), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(names_in(folder.get(), ".", Entries::directories).value(), ElementsAre("a", "d"));
}

TEST_F(NamesIn, AreNoMoreThanAskedFor) {
  EXPECT_EQ(names_in(AT_FDCWD, folder_, Entries::all, 2).value().size(), 2U);
}

TEST_F(NamesIn, OfNoDirectoryAreAnError) {
  for (const char* name : {"/absent", "/b"}) {
    const auto names = names_in(folder_ + name);
    ASSERT_FALSE(names.ok()) << name;
    EXPECT_EQ(names.error().what, "open " + folder_ + name);
    EXPECT_NE(names.error().sys_errno, 0);
  }
}

TEST(AllProcesses, HaveThisOneAmongThem) { EXPECT_THAT(all_processes(), Contains(::getpid())); }

}  // namespace
}  // namespace cib::test
