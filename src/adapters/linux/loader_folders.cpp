#include "adapters/linux/loader_folders.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string_view>

#include "container_ib/image.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t max_folders = 256;
constexpr unsigned max_includes = 64;  // of files, by one another too

// Where loaders look unasked, those of multiarch distributions first.
constexpr std::array usual_folders = {"/lib/x86_64-linux-gnu",
                                      "/usr/lib/x86_64-linux-gnu",
                                      "/lib/aarch64-linux-gnu",
                                      "/usr/lib/aarch64-linux-gnu",
                                      "/lib/powerpc64le-linux-gnu",
                                      "/usr/lib/powerpc64le-linux-gnu",
                                      "/lib/riscv64-linux-gnu",
                                      "/usr/lib/riscv64-linux-gnu",
                                      "/lib/s390x-linux-gnu",
                                      "/usr/lib/s390x-linux-gnu",
                                      "/lib64",
                                      "/usr/lib64",
                                      "/lib",
                                      "/usr/lib",
                                      "/usr/local/lib",
                                      "/usr/local/lib64"};

// Where programs find MPI by an rpath, or by a module file: below these, as deep as there are stars. HPC-X,
// EFA's installer, Conda, Spack's views, MLNX_OFED, Red Hat.
constexpr std::array prefixes = {"/opt/*", "/opt/*/*", "/usr/local/*", "/usr/mpi/*/*", "/usr/lib64/openmpi*"};

// What a pattern stands for whose stars are in its last component, or are whole components.
std::vector<std::string> expanded(ImageTree& tree, const std::string& pattern) {
  std::vector<std::string> found = {""};
  for (const auto part : split(std::string_view(pattern).substr(1), '/')) {
    std::vector<std::string> next;
    for (const auto& folder : found)
      if (part.find_first_of("*?[") == std::string_view::npos)
        next.push_back(folder + "/" + std::string(part));
      else
        for (const auto& name : tree.names(folder.empty() ? "/" : folder))
          if (glob_match(part, name)) next.push_back(folder + "/" + name);
    if (next.size() > max_folders) tree.leave_out();
    next.resize(std::min(next.size(), max_folders));
    found = std::move(next);
  }
  return found;
}

std::vector<std::string> configured_folders(ImageTree& tree) {
  std::vector<std::string> files = {"/etc/ld.so.conf"}, folders;
  for (std::size_t i = 0; i < files.size() && i < max_includes; ++i) {
    const auto text = tree.read(files[i]);
    if (!text) continue;
    auto conf = parse_loader_conf(*text);
    std::move(conf.folders.begin(), conf.folders.end(), std::back_inserter(folders));
    for (const auto& pattern : conf.includes)
      if (files.size() < max_includes)
        for (auto& file : expanded(tree, pattern)) files.push_back(std::move(file));
  }
  return folders;
}

std::vector<std::string> folders_of_prefixes(ImageTree& tree) {
  std::vector<std::string> folders;
  for (const char* prefix : prefixes)
    for (const auto& one : expanded(tree, prefix))
      for (const char* name : {"/lib", "/lib64"}) folders.push_back(one + name);
  return folders;
}

}  // namespace

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::vector<std::string> library_folders(ImageTree& tree, const std::string& library_path) {
  std::vector<std::string> named;
  for (const auto part : split(library_path, ':'))
    if (part.starts_with('/')) named.emplace_back(part);
  for (auto& folder : configured_folders(tree)) named.push_back(std::move(folder));
  named.insert(named.end(), usual_folders.begin(), usual_folders.end());
  for (auto& folder : folders_of_prefixes(tree)) named.push_back(std::move(folder));

  std::vector<std::string> folders;
  std::set<std::string> known;
  for (auto& folder : named) {
    const auto identity = tree.identity(folder);
    if (identity && known.insert(*identity).second) folders.push_back(std::move(folder));
  }
  if (folders.size() > max_folders) tree.leave_out();
  folders.resize(std::min(folders.size(), max_folders));
  return folders;
}

std::vector<std::string> find_all(ImageTree& tree, const std::vector<std::string>& folders,
                                  const std::string& name) {
  std::vector<std::string> found;
  for (const auto& folder : folders)
    if (tree.has(folder + "/" + name)) found.push_back(folder + "/" + name);
  return found;
}

std::string find_first(ImageTree& tree, const std::vector<std::string>& folders, const std::string& name) {
  for (const auto& folder : folders)
    if (tree.has(folder + "/" + name)) return folder + "/" + name;
  return {};
}

}  // namespace cib
