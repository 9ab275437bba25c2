// What a container image brings for MPI over InfiniBand and what it lacks: facts, and what they mean to who
// runs it. The facts come from its files (adapters/linux/image.hpp); nothing of it is run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

// libibverbs, and the providers that it loads, a library for each kind of HCA.
struct ImageVerbs {
  std::string path;                    // of libibverbs.so.1
  std::string suffix;                  // "rdmav34": it loads libNAME-rdmav34.so only
  std::string config;                  // the folder whose files name the providers to load
  std::vector<std::string> named;      // "mlx5", as those do
  std::vector<std::string> providers;  // "libmlx5-rdmav34.so", what there is

  bool operator==(const ImageVerbs&) const = default;
};

struct ImageUcx {
  std::string path;   // of libucp.so.0
  bool ib = false;    // has its module for verbs
  bool mlx5 = false;  // and what is faster on mlx5 HCAs, in it or as a module of its own

  bool operator==(const ImageUcx&) const = default;
};

struct ImageOpenMpi {
  enum class Part {
    none,
    component,  // a file of its own, which is left out where what it is linked with is missing
    built_in,   // so that is what all of it is linked with
  };
  std::string path;  // of libmpi.so.40
  Part ucx = Part::none, ofi = Part::none;
  bool pmix = false;  // brings its own

  bool operator==(const ImageOpenMpi&) const = default;
};

struct ImagePmix {
  std::string path, version;  // "4.2.2"; empty when the file does not say it

  bool operator==(const ImagePmix&) const = default;
};

struct ImageFacts {
  std::string glibc, musl;    // the loader's path
  std::string glibc_version;  // "2.36"
  std::optional<ImageVerbs> verbs;
  std::vector<ImageUcx> ucx;
  std::vector<ImageOpenMpi> open_mpi;
  std::vector<ImagePmix> pmix;
  std::string libfabric;  // path of libfabric.so.1
  bool whole = true;      // false: it is so large that not all was looked at

  bool operator==(const ImageFacts&) const = default;
};

// For a process that has looked into a container to say: a line for each thing. What stands there was
// named by the image, so it is read as strictly as any input.
std::string encode_image(const ImageFacts& facts);
Result<ImageFacts> decode_image(std::string_view text);

// What the image is to work with.
struct ImageNeeds {
  struct Hca {
    std::string device, driver;  // "mlx5_0", and its driver in the kernel, "mlx5_core"
  };
  std::vector<Hca> hcas;
  std::string pmix_server;  // version, as the server tells it to its clients in PMIX_VERSION
};

struct ImageLine {
  enum class Kind { fine, note, finding } kind;
  std::string text;  // one line: what, why it matters, what to do

  bool operator==(const ImageLine&) const = default;
};
std::vector<ImageLine> judge_image(const ImageFacts& facts, const ImageNeeds& needs);

// The provider of libibverbs for HCAs of this driver of the kernel's: "mlx5"; empty when none is known.
std::string_view verbs_provider(std::string_view driver);

// What /etc/ld.so.conf, or a file that it includes, says.
struct LoaderConf {
  std::vector<std::string> folders, includes;  // absolute paths; those to include are patterns
};
LoaderConf parse_loader_conf(std::string_view text);

// The first text of printable characters in a binary that has this in it; empty when none has.
std::string_view text_with(std::string_view binary, std::string_view part);

}  // namespace cib
