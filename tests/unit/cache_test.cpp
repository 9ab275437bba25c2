#include "inventory/cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container_ib/inventory.hpp"
#include "inventory/isolated.hpp"
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

TEST(Cache, GivesBackWhatWasWrittenForTheSameFingerprint) {
  const test::TempTree tree;
  const std::string path = tree.path("inventory");
  EXPECT_FALSE(read_cache(path, "a").has_value()) << "no file";
  write_cache(path, "a", some_node());
  const auto read = read_cache(path, "a");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode_inventory(*read), encode_inventory(some_node()));
  EXPECT_FALSE(read_cache(path, "b").has_value());
  write_cache(path, "b", some_node());
  EXPECT_TRUE(read_cache(path, "b").has_value()) << "replaced";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(tree.path()), {}), 1) << "no leftovers";
}

TEST(Cache, IsNotReadFromAFileThatOthersCouldHaveWritten) {
  const test::TempTree tree;
  const std::string path = tree.path("inventory");
  write_cache(path, "a", some_node());
  ASSERT_EQ(::chmod(path.c_str(), 0620), 0);
  EXPECT_FALSE(read_cache(path, "a").has_value()) << "group may write";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  tree.link("link", "inventory");
  EXPECT_FALSE(read_cache(tree.path("link"), "a").has_value()) << "a link";
  ASSERT_EQ(::mkfifo(tree.path("fifo").c_str(), 0600), 0);
  EXPECT_FALSE(read_cache(tree.path("fifo"), "a").has_value());
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    EXPECT_FALSE(read_cache(path, "a").has_value()) << "another owner";
  }
}

TEST(Cache, ATornFileIsNoInventory) {
  const test::TempTree tree;
  const std::string path = tree.path("inventory");
  write_cache(path, "a", some_node());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  EXPECT_FALSE(read_cache(path, "a").has_value());
  write_cache(tree.path("missing/inventory"), "a", some_node());  // and no error
}

TEST(Cache, TheFingerprintIsStable) {
  EXPECT_EQ(machine_fingerprint().size(), 16U);
  EXPECT_EQ(machine_fingerprint(), machine_fingerprint());
}

TEST(Cache, ALiveInventoryFromTheCacheIsTheSame) {
  const test::TempTree tree;
  InventorySource source;
  source.cache = tree.path("inventory");
  const auto cold = load_inventory(source);
  ASSERT_TRUE(cold.ok()) << cold.error().message();
  ASSERT_TRUE(test::TempTree().path().size() > 0 && std::filesystem::exists(source.cache));
  const auto warm = load_inventory(source);
  ASSERT_TRUE(warm.ok());
  EXPECT_EQ(encode_inventory(*cold), encode_inventory(*warm));
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
