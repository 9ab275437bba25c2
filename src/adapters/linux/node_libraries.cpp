#include "adapters/linux/node_libraries.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "adapters/linux/image.hpp"
#include "adapters/linux/image_tree.hpp"
#include "adapters/linux/loader_folders.hpp"
#include "adapters/linux/small_tmpfs.hpp"

namespace cib {

namespace {

// What libibverbs, librdmacm and the providers of rdma-core are linked with besides glibc. A provider that
// has functions for programs is a library by that name too (libmlx5.so.1), and is linked to from its other
// name.
std::vector<std::string> libraries_for(const std::vector<std::string>& providers) {
  std::vector<std::string> names = {"libibverbs.so.1", "librdmacm.so.1", "libnl-3.so.200",
                                    "libnl-route-3.so.200"};
  for (const std::string& provider : providers) names.push_back("lib" + provider + ".so.1");
  return names;
}

struct Finder {
  ImageTree tree;
  std::vector<std::string> folders;
  NodeLibraries found = {};

  bool add(const std::string& path, const std::string& name) {
    auto contents = path.empty() ? std::nullopt : tree.read(path);
    if (!contents) return false;
    found.glibc = newer_glibc(found.glibc, glibc_needed_by(*contents));
    found.lent.files.push_back(name);
    found.contents.push_back(std::move(*contents));
    return true;
  }
};

Status put_library(int folder, const std::string& name, const std::string& contents) {
  constexpr mode_t everybody_loads = 0755;
  const UniqueFd file(
      ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, everybody_loads));
  if (!file || ::fchmod(file.get(), everybody_loads) != 0)  // whatever the umask is
    return error(Errc::kernel, "copy " + name + " for a container", errno);
  for (std::size_t done = 0; done < contents.size();) {
    const ssize_t size = ::write(file.get(), contents.data() + done, contents.size() - done);
    if (size <= 0) return error(Errc::kernel, "copy " + name + " for a container", errno);
    done += static_cast<std::size_t>(size);
  }
  return {};
}

}  // namespace

Result<NodeLibraries> read_node_libraries(const std::vector<std::string>& providers) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)),
      proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root || !proc) return error(Errc::kernel, "open /", errno);
  CIB_TRY(const ImageFacts node, look_at_image(root.get(), proc.get(), ""));
  if (!node.verbs || node.verbs->suffix.empty())
    return error(Errc::not_found, "this node has no libibverbs.so.1 to lend (Debian: libibverbs1)");
  CIB_TRY(ImageTree tree, ImageTree::at(root.get(), proc.get()));
  Finder finder{.tree = tree, .folders = {}};
  finder.folders = library_folders(finder.tree, "");
  const std::string suffix = finder.found.lent.suffix = node.verbs->suffix;
  for (const std::string& name : libraries_for(providers))
    (void)finder.add(find_first(finder.tree, finder.folders, name), name);
  for (const std::string& provider : providers) {
    const std::string name = "lib" + provider + "-" + suffix + ".so";
    const std::string own_folder = folder_of(node.verbs->path) + "/libibverbs/" + name;
    if (!finder.add(own_folder, name) && !finder.add(find_first(finder.tree, finder.folders, name), name))
      return error(Errc::not_found,
                   "this node has no " + name + " to lend (Debian: ibverbs-providers; Red Hat: libibverbs)");
    finder.found.lent.providers.push_back(provider);
  }
  return std::move(finder.found);
}

Result<UniqueFd> make_lent_mount(const NodeLibraries& libraries) {
  CIB_TRY(UniqueFd mount, make_small_tmpfs(TmpfsFor::libraries));
  for (std::size_t i = 0; i < libraries.contents.size(); ++i)
    CIB_CHECK(put_library(mount.get(), libraries.lent.files[i], libraries.contents[i]));
  CIB_CHECK(make_read_only(mount));
  return mount;
}

}  // namespace cib
