#include "adapters/linux/image.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "adapters/linux/image_tree.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/loader_folders.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::array glibc_loaders = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
                                      "/lib64/ld64.so.2", "/lib/ld64.so.1",
                                      "/lib/ld-linux-riscv64-lp64d.so.1"};
constexpr std::array musl_loaders = {"/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1",
                                     "/lib/ld-musl-powerpc64le.so.1", "/lib/ld-musl-s390x.so.1",
                                     "/lib/ld-musl-riscv64.so.1"};

// Of Open MPI's components, from where libmpi.so.40 is; the longer ones are Debian's.
constexpr std::array component_folders = {
    "openmpi",  "openmpi/lib/openmpi3", "openmpi/lib/openmpi40", "openmpi/lib/openmpi", "openmpi3",
    "openmpi40"};

template <std::size_t N>
std::string first_of(ImageTree& tree, const std::array<const char*, N>& paths) {
  for (const char* path : paths)
    if (tree.has(path)) return path;
  return {};
}

// "4.2.2" from "... release version 4.2.2.", which has it behind these words.
std::string version_behind(const std::string& binary, const std::string& words) {
  for (auto at = binary.find(words); at != std::string::npos; at = binary.find(words, at + 1)) {
    const auto begin = at + words.size();
    const auto end = binary.find_first_not_of("0123456789.abcdefghijklmnopqrstuvwxyz", begin);
    std::string version = binary.substr(begin, std::min(end - begin, std::size_t{30}));
    while (version.ends_with('.')) version.pop_back();
    if (!version.empty() && version[0] >= '0' && version[0] <= '9') return version;
  }
  return {};
}

// "driver mlx5" in the files of the configuration.
std::vector<std::string> named_providers(ImageTree& tree, const std::string& config) {
  std::vector<std::string> named;
  for (const auto& name : tree.names(config)) {
    const std::string text = tree.read(config + "/" + name).value_or("");
    for (const auto line : split(text, '\n')) {
      std::vector<std::string_view> words;
      for (const auto word : split(line, ' '))
        for (const auto part : split(word, '\t'))
          if (!part.empty()) words.push_back(part);
      if (words.size() >= 2 && words[0] == "driver") named.emplace_back(words[1]);
    }
  }
  return named;
}

void add_providers(ImageTree& tree, const std::string& folder, ImageVerbs& verbs) {
  for (auto& name : tree.names(folder))
    if (name.starts_with("lib") && name.ends_with(".so") && name.find("-rdmav") != std::string::npos &&
        tree.has(folder + "/" + name))
      verbs.providers.push_back(std::move(name));
}

// The names that it loads its providers by are in the library itself (libibverbs/dynamic_driver.c of
// rdma-core).
std::optional<ImageVerbs> look_for_verbs(ImageTree& tree, const std::vector<std::string>& folders) {
  ImageVerbs verbs;
  verbs.path = find_first(tree, folders, "libibverbs.so.1");
  const auto binary = tree.read(verbs.path);
  if (!binary) return std::nullopt;
  constexpr std::string_view name = "/lib%s-", config = "/libibverbs.d";
  const std::string pattern(text_with(*binary, name));
  verbs.config = text_with(*binary, config);
  if (!verbs.config.starts_with('/') || !verbs.config.ends_with(config)) verbs.config = "/etc/libibverbs.d";
  std::string folder = folder_of(verbs.path) + "/libibverbs";
  if (pattern.starts_with('/') && pattern.ends_with(".so")) {
    const auto at = pattern.find(name);
    folder = pattern.substr(0, at);
    verbs.suffix = pattern.substr(at + name.size());
    verbs.suffix.resize(verbs.suffix.size() - 3);
  }
  verbs.named = named_providers(tree, verbs.config);
  add_providers(tree, folder, verbs);
  if (verbs.suffix.empty()) return verbs;
  // What is not there is looked for as any library.
  for (const auto& provider : verbs.named) {
    std::string file = "lib" + provider + "-" + verbs.suffix + ".so";
    if (std::find(verbs.providers.begin(), verbs.providers.end(), file) == verbs.providers.end() &&
        !find_first(tree, folders, file).empty())
      verbs.providers.push_back(std::move(file));
  }
  return verbs;
}

ImageUcx look_at_ucx(ImageTree& tree, const std::string& path) {
  const std::string modules = folder_of(path) + "/ucx/";
  const auto ib = tree.read(modules + "libuct_ib.so.0");
  ImageUcx ucx{path, ib.has_value(), false};
  // A module of its own from UCX 1.18 on.
  ucx.mlx5 =
      ib && (ib->find("uct_rc_mlx5") != std::string::npos || tree.has(modules + "libuct_ib_mlx5.so.0"));
  return ucx;
}

ImageOpenMpi look_at_open_mpi(ImageTree& tree, const std::string& path) {
  const std::string folder = folder_of(path) + "/";
  std::string mpi = tree.read(path).value_or("");
  mpi += tree.read(folder + "libopen_mpi.so.40").value_or("");  // where Open MPI 6 has its code
  const std::string pal = tree.read(folder + "libopen-pal.so.40").value_or("");
  using Part = ImageOpenMpi::Part;
  const auto part = [&](const std::string& component, const std::string& file) {
    if (mpi.find(component) != std::string::npos) return Part::built_in;
    for (const char* components : component_folders)
      if (tree.has(folder + components + "/" + file)) return Part::component;
    return Part::none;
  };
  ImageOpenMpi found{path, part("mca_pml_ucx_component", "mca_pml_ucx.so"),
                     part("mca_mtl_ofi_component", "mca_mtl_ofi.so"),
                     pal.find("mca_pmix_pmix") != std::string::npos};
  for (const char* file : {"mca_pmix_pmix2x.so", "mca_pmix_pmix3x.so", "mca_pmix_pmix4x.so"})
    found.pmix = found.pmix || part(file, file) == Part::component;
  return found;
}

ImagePmix look_at_pmix(ImageTree& tree, const std::string& path) {
  const std::string binary = tree.read(path).value_or("");
  std::string version = version_behind(binary, "OpenPMIx ");
  if (version.empty()) version = version_behind(binary, "MCA component version ");
  return {path, std::move(version)};
}

}  // namespace

Result<ImageFacts> look_at_image(int root, int proc, const std::string& library_path) {
  CIB_TRY(ImageTree tree, ImageTree::at(root, proc));
  const auto folders = library_folders(tree, library_path);
  ImageFacts facts;
  facts.glibc = first_of(tree, glibc_loaders);
  facts.musl = first_of(tree, musl_loaders);
  if (!facts.glibc.empty())
    facts.glibc_version =
        version_behind(tree.read(find_first(tree, folders, "libc.so.6")).value_or(""), "release version ");
  facts.verbs = look_for_verbs(tree, folders);
  for (const auto& path : find_all(tree, folders, "libucp.so.0"))
    facts.ucx.push_back(look_at_ucx(tree, path));
  for (const auto& path : find_all(tree, folders, "libmpi.so.40"))
    facts.open_mpi.push_back(look_at_open_mpi(tree, path));
  for (const auto& path : find_all(tree, folders, "libpmix.so.2"))
    facts.pmix.push_back(look_at_pmix(tree, path));
  facts.libfabric = find_first(tree, folders, "libfabric.so.1");
  facts.whole = tree.whole();
  return facts;
}

namespace {

constexpr int look_at_image_ms = 5'000;
constexpr std::size_t longest_facts = 256UL * 1024;

struct ImageText {
  int proc = -1;
  std::size_t size = 0;
  std::array<char, longest_facts> text{};
};

int write_facts(void* arg) {
  auto* out = static_cast<ImageText*>(arg);
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return errno;
  const auto facts = look_at_image(root.get(), out->proc, "");
  if (!facts) return facts.error().sys_errno == 0 ? EIO : facts.error().sys_errno;
  const std::string text = encode_image(*facts);
  if (text.size() > out->text.size()) return E2BIG;
  std::copy(text.begin(), text.end(), out->text.begin());
  out->size = text.size();
  return 0;
}

}  // namespace

Result<ImageFacts> look_at_image_of(int mount_namespace) {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return error(Errc::kernel, "open /proc", errno);
  CIB_TRY(const SharedMemory memory, SharedMemory::make(sizeof(ImageText)));
  auto* out = new (memory.data()) ImageText;
  out->proc = proc.get();
  CIB_CHECK(in_mount_namespace(mount_namespace, write_facts, out, {proc.get()},
                               "look into the container's image", look_at_image_ms));
  return decode_image({out->text.data(), std::min(out->size, out->text.size())});
}

}  // namespace cib
