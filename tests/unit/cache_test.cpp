#include "adapters/inventory/cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "adapters/inventory/isolated.hpp"
#include "container_ib/inventory.hpp"
#include "support/node_builder.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using testing::HasSubstr;

Inventory some_node() {
  Inventory node = test::numa_node(2);
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0})};
  return node;
}

unsigned entries(const test::TempTree& tree) {
  return static_cast<unsigned>(std::distance(std::filesystem::directory_iterator(tree.path()), {}));
}

TEST(Cache, GivesBackWhatWasWrittenForTheSameFingerprint) {
  const test::TempTree tree;
  EXPECT_FALSE(read_cache(tree.path(), "a").has_value()) << "no file";
  write_cache(tree.path(), "a", some_node());
  const auto read = read_cache(tree.path(), "a");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode_inventory(*read), encode_inventory(some_node()));
  EXPECT_FALSE(read_cache(tree.path(), "b").has_value());
  write_cache(tree.path(), "b", some_node());
  EXPECT_TRUE(read_cache(tree.path(), "b").has_value()) << "replaced";
  EXPECT_EQ(entries(tree), 1U) << "no leftovers";
}

TEST(Cache, MakesItsDirectoryForItsUserAlone) {
  const test::TempTree tree;
  const std::string state = tree.path("state");
  write_cache(state, "a", some_node());
  EXPECT_TRUE(read_cache(state, "a").has_value());
  struct stat status {};
  ASSERT_EQ(::stat(state.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  ASSERT_EQ(::stat((state + "/inventory").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(Cache, IsNotReadFromAFileThatOthersCouldHaveWritten) {
  const test::TempTree tree;
  const std::string file = tree.path("inventory");
  write_cache(tree.path(), "a", some_node());
  ASSERT_EQ(::chmod(file.c_str(), 0620), 0);
  EXPECT_FALSE(read_cache(tree.path(), "a").has_value()) << "group may write";
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  ASSERT_TRUE(read_cache(tree.path(), "a").has_value());
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(file.c_str(), 65534, 65534), 0);
    EXPECT_FALSE(read_cache(tree.path(), "a").has_value()) << "another owner";
  }
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_FALSE(read_cache(tree.path(), "a").has_value()) << "and it did not wait";
}

TEST(Cache, IsNeverReachedThroughALink) {
  const test::TempTree tree;
  write_cache(tree.path("state"), "a", some_node());
  tree.link("link", "state");
  EXPECT_FALSE(read_cache(tree.path("link"), "a").has_value()) << "the directory";
  std::filesystem::rename(tree.path("state/inventory"), tree.path("state/other"));
  tree.link("state/inventory", "other");
  EXPECT_FALSE(read_cache(tree.path("state"), "a").has_value()) << "the file";
  tree.file("precious", "not ours to write");
  std::filesystem::remove(tree.path("state/inventory"));
  tree.link("state/inventory", "../precious");
  tree.link("state/inventory." + std::to_string(::getpid()), "../precious");
  write_cache(tree.path("state"), "a", some_node());
  EXPECT_TRUE(read_cache(tree.path("state"), "a").has_value()) << "the link was replaced, not followed";
  EXPECT_EQ(std::filesystem::file_size(tree.path("precious")), 17U);
}

TEST(Cache, IsNeitherReadNorWrittenWhereOthersCanWrite) {
  const test::TempTree tree;
  write_cache(tree.path("state"), "a", some_node());
  ASSERT_EQ(::chmod(tree.path("state").c_str(), 0777), 0);
  EXPECT_FALSE(read_cache(tree.path("state"), "a").has_value());
  std::filesystem::remove(tree.path("state/inventory"));
  write_cache(tree.path("state"), "a", some_node());
  EXPECT_FALSE(std::filesystem::exists(tree.path("state/inventory")));
}

TEST(Cache, ADamagedFileIsIgnoredAndReplaced) {
  const test::TempTree tree;
  const std::string file = tree.path("inventory");
  const auto damage = [&](const std::string& text) { std::ofstream(file, std::ios::binary) << text; };
  write_cache(tree.path(), "a", some_node());
  std::ifstream stream(file, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(stream)), {});
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    damage(whole.substr(0, length));
    EXPECT_FALSE(read_cache(tree.path(), "a").has_value()) << length << " bytes";
  }
  damage("fingerprint a\n" + std::string(1000, '\xff'));
  EXPECT_FALSE(read_cache(tree.path(), "a").has_value());
  write_cache(tree.path(), "a", some_node());
  EXPECT_TRUE(read_cache(tree.path(), "a").has_value());
  write_cache(tree.path("missing/state"), "a", some_node());  // and no error
}

TEST(Cache, WritersDoNotDisturbEachOther) {
  const test::TempTree tree;
  constexpr int writers = 8;
  for (int i = 0; i < writers; ++i) {
    if (::fork() != 0) continue;
    for (int k = 0; k < 50; ++k) {
      write_cache(tree.path(), "a", some_node());
      if (!read_cache(tree.path(), "a").has_value()) ::_exit(1);
    }
    ::_exit(0);
  }
  for (int i = 0; i < writers; ++i) {
    int status = 0;
    ASSERT_GT(::wait(&status), 0);
    EXPECT_EQ(status, 0) << "a reader found no whole file";
  }
  EXPECT_EQ(entries(tree), 1U);
}

TEST(Cache, TheFingerprintIsStable) {
  EXPECT_EQ(machine_fingerprint().size(), 16U);
  EXPECT_EQ(machine_fingerprint(), machine_fingerprint());
}

TEST(Cache, ALiveInventoryFromTheCacheIsTheSame) {
  const test::TempTree tree;
  InventorySource source;
  source.cache = tree.path();
  const auto cold = load_inventory(source);
  ASSERT_TRUE(cold.ok()) << cold.error().message();
  ASSERT_TRUE(std::filesystem::exists(tree.path("inventory")));
  const auto warm = load_inventory(source);
  ASSERT_TRUE(warm.ok());
  EXPECT_EQ(encode_inventory(*cold), encode_inventory(*warm));
}

// A sysfs of our own stands for the node's, so that there are devices on any machine.
class LiveFacts : public testing::Test {
 protected:
  void SetUp() override {
    source_.cache = tree_.path("state");
    source_.sysfs = tree_.path("sys");
    Inventory cached;
    cached.ports = {test::port("mlx5_0", "0000:18:00.0", {0})};
    cached.ports[0].lid = 0x77;
    cached.ports[0].rate_gbps = 400;
    write_cache(source_.cache, machine_fingerprint(), cached);
    set("state", "4: ACTIVE");
    set("phys_state", "5: LinkUp");
    set("rate", "200 Gb/sec (4X HDR)");
    set("lid", "0x12");
    set("link_layer", "InfiniBand");
    set("gids/0", "fec0:0000:0000:0001:0000:0000:0000:0001");
  }
  void set(const std::string& name, const std::string& value) {
    tree_.file("sys/class/infiniband/mlx5_0/ports/1/" + name, value + "\n");
  }
  Port port() const {
    const auto node = load_inventory(source_);
    EXPECT_TRUE(node.ok() && node->ports.size() == 1);
    return node.ok() && node->ports.size() == 1 ? node->ports[0] : Port{};
  }
  test::TempTree tree_;
  InventorySource source_;
};

TEST_F(LiveFacts, AreReadFreshForEachStep) {
  EXPECT_EQ(port().pci->text(), "0000:18:00.0") << "from the cache";
  EXPECT_EQ(port().rate_gbps, 200);
  EXPECT_EQ(port().subnet_prefix, 0xfec0000000000001U);
  set("state", "1: DOWN");
  set("phys_state", "2: Polling");
  set("rate", "10 Gb/sec (4X SDR)");
  set("lid", "0x0");
  const Port down = port();
  EXPECT_EQ(down.state, PortState::down);
  EXPECT_EQ(down.phys_state, PhysState::polling);
  EXPECT_EQ(down.rate_gbps, 10);
  EXPECT_EQ(down.lid, 0U) << "a LID that was taken away does not come back from the cache";
}

TEST(Isolated, PassesValuesAndErrorsOn) {
  const auto value = run_isolated("x", [] { return Result<Inventory>(some_node()); });
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(encode_inventory(*value), encode_inventory(some_node()));
  const auto failed =
      run_isolated("x", []() -> Result<Inventory> { return error(Errc::denied, "why it is", EPERM); });
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::denied);
  EXPECT_EQ(failed.error().message(), "why it is: Operation not permitted");
}

TEST(Isolated, SurvivesTheDeathOfTheReader) {
  const auto killed = run_isolated("topology x", []() -> Result<Inventory> {
    ::raise(SIGKILL);
    return Inventory{};
  });
  ASSERT_FALSE(killed.ok());
  EXPECT_THAT(killed.error().what, HasSubstr("topology x: hwloc ended by signal 9"));
  const auto gone = run_isolated("x", []() -> Result<Inventory> { ::_exit(0); });
  ASSERT_FALSE(gone.ok());
  EXPECT_THAT(gone.error().what, HasSubstr("no answer"));
}

TEST(Isolated, LargeAnswersFitThroughThePipe) {
  Inventory node;
  for (unsigned i = 0; i < 20000; ++i)
    node.ports.push_back(test::port("mlx5_" + std::to_string(i), "0000:18:00.0", {0}));
  const auto large = run_isolated("x", [&] { return Result<Inventory>(node); });
  ASSERT_TRUE(large.ok());
  EXPECT_EQ(large->ports.size(), 20000U);
}

}  // namespace
}  // namespace cib
