// Trees as images have them. A library is a text with what is read of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapters/linux/image.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

UniqueFd open_folder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

struct LookAtImage : testing::Test {
  ImageFacts look(const std::string& library_path = "") const {
    const UniqueFd root = open_folder(tree.path()), proc = open_folder("/proc");
    return look_at_image(root.get(), proc.get(), library_path).value();
  }
  void verbs(const std::string& folder = "usr/lib64") const {
    tree.file(folder + "/libibverbs.so.1",
              "\x7f"
              "ELF\nlib%s-rdmav34.so\n/etc/libibverbs.d\n/" +
                  folder + "/libibverbs/lib%s-rdmav34.so\n");
    tree.file(folder + "/libibverbs/libmlx5-rdmav34.so", "ELF");
    tree.file("etc/libibverbs.d/mlx5.driver", "# of Mellanox\n driver\tmlx5 \n");
  }

  test::TempTree tree;
};

TEST_F(LookAtImage, FindsNothingInAnEmptyOne) { EXPECT_EQ(look(), ImageFacts{}); }

TEST_F(LookAtImage, FindsLibibverbsAndWhatItWillLoad) {
  verbs();
  EXPECT_EQ(
      look().verbs,
      (ImageVerbs{
          "/usr/lib64/libibverbs.so.1", "rdmav34", "/etc/libibverbs.d", {"mlx5"}, {"libmlx5-rdmav34.so"}}));
}

TEST_F(LookAtImage, LooksForProvidersWhereLibibverbsWould) {
  tree.file("opt/conda/lib/libibverbs.so.1",
            "/opt/conda/etc/libibverbs.d\n/opt/conda/lib/libibverbs/lib%s-rdmav57.so\n");
  tree.file("opt/conda/etc/libibverbs.d/all", "driver mlx5\ndriver efa\n");
  tree.file("opt/conda/lib/libibverbs/libefa-rdmav57.so", "ELF");
  tree.file("usr/lib64/libmlx5-rdmav57.so", "ELF");  // as any library
  tree.file("usr/lib64/libibverbs/libmlx4-rdmav57.so", "of another libibverbs");
  const auto found = look().verbs.value();
  EXPECT_EQ(found.suffix, "rdmav57");
  EXPECT_THAT(found.named, ElementsAre("mlx5", "efa"));
  EXPECT_THAT(found.providers, ElementsAre("libefa-rdmav57.so", "libmlx5-rdmav57.so"));
}

TEST_F(LookAtImage, KnowsTheUsualPlacesWhereLibibverbsDoesNotSayThem) {
  tree.file("usr/lib64/libibverbs.so.1", "ELF");
  tree.file("usr/lib64/libibverbs/libmlx5-rdmav25.so", "ELF");
  tree.file("etc/libibverbs.d/mlx5.driver", "driver mlx5");
  const auto found = look().verbs.value();
  EXPECT_EQ(found.suffix, "");
  EXPECT_THAT(found.named, ElementsAre("mlx5"));
  EXPECT_THAT(found.providers, ElementsAre("libmlx5-rdmav25.so"));
}

TEST_F(LookAtImage, FollowsTheLoadersConfiguration) {
  tree.file("etc/ld.so.conf", "include ld.so.conf.d/*.conf\n");
  tree.file("etc/ld.so.conf.d/10-mine.conf", "/srv/mine/lib\n");
  tree.file("etc/ld.so.conf.d/20-loop.conf", "include /etc/ld.so.conf.d/*.conf\n");
  tree.file("etc/ld.so.conf.d/not-one", "/srv/other/lib\n");
  tree.file("srv/mine/lib/libucp.so.0", "ELF");
  tree.file("srv/other/lib/libucp.so.0", "ELF");
  EXPECT_THAT(look().ucx, ElementsAre(ImageUcx{"/srv/mine/lib/libucp.so.0", false, false}));
  EXPECT_TRUE(look().whole) << "a file that includes itself is no large image";
}

TEST_F(LookAtImage, FollowsLdLibraryPathFirst) {
  verbs();
  tree.file("home/me/lib/libibverbs.so.1", "ELF");
  EXPECT_EQ(look("relative::/home/me/lib").verbs->path, "/home/me/lib/libibverbs.so.1");
}

TEST_F(LookAtImage, LooksIntoEachFolderOnceWhateverItIsCalled) {
  tree.file("usr/lib/x86_64-linux-gnu/libucp.so.0", "ELF");
  tree.link("lib", "usr/lib");
  EXPECT_THAT(look().ucx, ElementsAre(ImageUcx{"/lib/x86_64-linux-gnu/libucp.so.0", false, false}));
}

TEST_F(LookAtImage, FindsInfiniBandInUcx) {
  tree.file("opt/none/lib/libucp.so.0", "ELF");
  tree.file("opt/old/lib/libucp.so.0", "ELF");
  tree.file("opt/old/lib/ucx/libuct_ib.so.0", "uct_rc_verbs_tl\nuct_rc_mlx5_tl\n");
  tree.file("opt/plain/lib/libucp.so.0", "ELF");
  tree.file("opt/plain/lib/ucx/libuct_ib.so.0", "uct_rc_verbs_tl\n");
  tree.file("opt/suite/ucx/lib64/libucp.so.0", "ELF");
  tree.file("opt/suite/ucx/lib64/ucx/libuct_ib.so.0", "uct_rc_verbs_tl\n");
  tree.file("opt/suite/ucx/lib64/ucx/libuct_ib_mlx5.so.0", "uct_rc_mlx5_tl\n");
  EXPECT_THAT(look().ucx, ElementsAre(ImageUcx{"/opt/none/lib/libucp.so.0", false, false},
                                      ImageUcx{"/opt/old/lib/libucp.so.0", true, true},
                                      ImageUcx{"/opt/plain/lib/libucp.so.0", true, false},
                                      ImageUcx{"/opt/suite/ucx/lib64/libucp.so.0", true, true}));
}

TEST_F(LookAtImage, FindsWhatOpenMpiIsMadeFor) {
  tree.file("opt/built-in/lib/libmpi.so.40", "mca_mtl_ofi_component\nmca_pml_ucx_component\n");
  tree.file("opt/new/lib/libmpi.so.40", "ELF");
  tree.file("opt/new/lib/libopen_mpi.so.40", "mca_pml_ucx_component\n");
  tree.file("opt/old/lib/libmpi.so.40", "ELF");
  tree.file("opt/old/lib/libopen-pal.so.40", "mca_pmix_pmix3x_component\n");
  tree.file("opt/without/lib/libmpi.so.40", "ELF");
  tree.file("opt/without/lib/openmpi/mca_pml_ob1.so", "ELF");
  tree.file("usr/lib64/openmpi/lib/libmpi.so.40", "ELF");  // as Red Hat has it
  tree.file("usr/lib64/openmpi/lib/openmpi/mca_pml_ucx.so", "ELF");
  tree.file("usr/lib64/openmpi/lib/openmpi/mca_pmix_pmix3x.so", "ELF");
  tree.file("usr/lib/x86_64-linux-gnu/libmpi.so.40", "ELF");  // as Debian has it
  tree.file("usr/lib/x86_64-linux-gnu/openmpi/lib/openmpi3/mca_mtl_ofi.so", "ELF");
  using Part = ImageOpenMpi::Part;
  const auto none = Part::none, component = Part::component, built_in = Part::built_in;
  EXPECT_THAT(look().open_mpi,
              ElementsAre(ImageOpenMpi{"/usr/lib/x86_64-linux-gnu/libmpi.so.40", none, component, false},
                          ImageOpenMpi{"/opt/built-in/lib/libmpi.so.40", built_in, built_in, false},
                          ImageOpenMpi{"/opt/new/lib/libmpi.so.40", built_in, none, false},
                          ImageOpenMpi{"/opt/old/lib/libmpi.so.40", none, none, true},
                          ImageOpenMpi{"/opt/without/lib/libmpi.so.40", none, none, false},
                          ImageOpenMpi{"/usr/lib64/openmpi/lib/libmpi.so.40", component, none, true}));
}

TEST_F(LookAtImage, ReadsThePmixVersion) {
  tree.file("usr/lib64/libpmix.so.2",
            "OpenPMIx is of no version here\n@OpenPMIx 4.2.2rc2 (PMIx Standard: 4.2)\n");
  tree.file("usr/local/lib/libpmix.so.2", "PMIX pdl pdlopen MCA component version 3.2.5a1\n");
  tree.file("opt/x/lib/libpmix.so.2", "ELF");
  EXPECT_THAT(look().pmix, ElementsAre(ImagePmix{"/usr/lib64/libpmix.so.2", "4.2.2rc2"},
                                       ImagePmix{"/usr/local/lib/libpmix.so.2", "3.2.5a1"},
                                       ImagePmix{"/opt/x/lib/libpmix.so.2", ""}));
}

TEST_F(LookAtImage, TellsGlibcFromMusl) {
  tree.file("lib/ld-musl-x86_64.so.1", "ELF");
  EXPECT_EQ(look().musl, "/lib/ld-musl-x86_64.so.1");
  EXPECT_EQ(look().glibc, "");
  tree.file("lib64/ld-linux-x86-64.so.2", "ELF");
  tree.file("lib64/libc.so.6", "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n");
  EXPECT_EQ(look().glibc, "/lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(look().glibc_version, "2.36");
}

// ---- what an image's owner may have made of it

TEST_F(LookAtImage, FollowsLinksInsideTheTreeOnly) {
  test::TempTree outside;
  outside.file("libucp.so.0", "ELF");
  outside.file("lib/libmpi.so.40", "ELF");
  tree.file("srv/libfabric.so.1.20", "ELF");
  tree.link("usr/lib64/libfabric.so.1", "/srv/libfabric.so.1.20");
  tree.link("usr/lib64/libucp.so.0", outside.path("libucp.so.0"));
  tree.link("usr/lib64/libpmix.so.2", std::string("../../../../../../..") + outside.path("libucp.so.0"));
  tree.link("opt/out", outside.path());
  const auto facts = look();
  EXPECT_EQ(facts.libfabric, "/usr/lib64/libfabric.so.1");
  EXPECT_THAT(facts.ucx, IsEmpty());
  EXPECT_THAT(facts.pmix, IsEmpty());
  EXPECT_THAT(facts.open_mpi, IsEmpty());
}

TEST_F(LookAtImage, OpensRegularFilesOnly) {
  tree.directory("usr/lib64");
  tree.directory("etc");
  ASSERT_EQ(::mkfifo(tree.path("usr/lib64/libibverbs.so.1").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(tree.path("etc/ld.so.conf").c_str(), 0600), 0);
  tree.directory("usr/lib64/libucp.so.0");
  tree.link("usr/lib64/libpmix.so.2", "libpmix.so.2");
  EXPECT_EQ(look(), ImageFacts{});
}

TEST_F(LookAtImage, EndsInATreeOfAnySize) {
  for (int i = 0; i < 400; ++i) tree.file("opt/" + std::to_string(i) + "/lib/libucp.so.0", "ELF");
  const auto facts = look();
  EXPECT_FALSE(facts.whole);
  EXPECT_GT(facts.ucx.size(), 200U);
  EXPECT_LE(facts.ucx.size(), 256U);
}

TEST_F(LookAtImage, ReadsTheBeginningOfAFileOfAnySize) {
  verbs();
  EXPECT_TRUE(look().whole);
  std::filesystem::resize_file(tree.path("usr/lib64/libibverbs.so.1"), std::uintmax_t{1} << 40);
  const auto facts = look();
  EXPECT_FALSE(facts.whole);
  EXPECT_EQ(facts.verbs->suffix, "rdmav34");
}

TEST_F(LookAtImage, SaysWhatItCannotDoWithout) {
  const UniqueFd root = open_folder(tree.path()), no_proc = open_folder(tree.path());
  EXPECT_EQ(look_at_image(root.get(), no_proc.get(), "").error().message(),
            "look into an image: open /proc/self/fd: No such file or directory");
}

}  // namespace
}  // namespace cib
