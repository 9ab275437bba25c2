#include "container_ib/lending.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ImageFacts with_glibc(const std::string& version) {
  ImageFacts image;
  image.glibc = "/lib64/ld-linux-x86-64.so.2";
  image.glibc_version = version;
  return image;
}

const ImageNeeds mlx5 = {{{"mlx5_0", "mlx5_core"}, {"mlx5_1", "mlx5_core"}, {"x_0", "unknown"}}, ""};

TEST(Lending, TheNewestGlibcThatALibraryAsksForCounts) {
  using namespace std::string_view_literals;
  EXPECT_EQ(glibc_needed_by("GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_PRIVATE\0"sv), "2.34");
  EXPECT_EQ(glibc_needed_by("GLIBC_2.17\0GLIBC_ABI_DT_RELR\0"sv), "2.36");
  EXPECT_EQ(glibc_needed_by("nothing of it"), "");
  EXPECT_EQ(newer_glibc("2.9", "2.31"), "2.31") << "numbers, not texts";
}

TEST(Lending, AnImageThatCannotLoadItSaysWhy) {
  EXPECT_TRUE(check_can_borrow(with_glibc("2.36"), "2.36").ok());
  EXPECT_TRUE(check_can_borrow(with_glibc("2.41"), "2.9").ok());
  EXPECT_THAT(check_can_borrow(with_glibc("2.28"), "2.34").error().message(), HasSubstr("needs glibc 2.34"));
  EXPECT_THAT(check_can_borrow(with_glibc(""), "2.34").error().message(), HasSubstr("does not tell"));
  ImageFacts musl;
  musl.musl = "/lib/ld-musl-x86_64.so.1";
  EXPECT_THAT(check_can_borrow(musl, "2.34").error().message(), HasSubstr("musl"));
  EXPECT_THAT(check_can_borrow({}, "2.34").error().message(), HasSubstr("no glibc"));
}

TEST(Lending, IsOfTheProvidersOfTheHcas) { EXPECT_THAT(providers_for(mlx5), ElementsAre("mlx5")); }

TEST(Lending, MendsWhatTheImageLacks) {
  const ImageFacts image = with_glibc("2.36");
  EXPECT_FALSE(has_verbs_for(image, mlx5));
  EXPECT_TRUE(has_verbs_for(with_lent(image, {{"mlx5"}, {"libibverbs.so.1"}, "rdmav34"}), mlx5));
  EXPECT_FALSE(has_verbs_for(with_lent(image, {{"mlx4"}, {"libibverbs.so.1"}, "rdmav34"}), mlx5));
}

}  // namespace
}  // namespace cib
