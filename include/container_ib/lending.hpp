// What a node lends to an image that cannot use its HCAs: libibverbs, the providers of those HCAs and what
// they are linked with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container_ib/image.hpp"

namespace cib {

// Where a container finds them: on our mount at /dev/infiniband, which needs no folder in the image.
inline constexpr const char* lent_folder = "/dev/infiniband/rdma-core";

struct LentLibraries {
  std::vector<std::string> providers;  // "mlx5"
  std::vector<std::string> files;      // "libibverbs.so.1", "libmlx5-rdmav34.so"
  std::string suffix;                  // "rdmav34", of the providers

  bool operator==(const LentLibraries&) const = default;
};

// Whether libibverbs of the image can use each of these HCAs.
bool has_verbs_for(const ImageFacts& image, const ImageNeeds& needs);
// Their providers, each once.
std::vector<std::string> providers_for(const ImageNeeds& needs);

// The newest release of glibc that a binary asks for ("2.36"), by the names of its symbols' versions; empty:
// it asks for none.
std::string glibc_needed_by(std::string_view binary);
// The newer one of two such releases; an empty one is older than all.
std::string newer_glibc(const std::string& a, const std::string& b);
// unsupported, with the cause, when a program of the image cannot load libraries that ask for that glibc.
Status check_can_borrow(const ImageFacts& image, const std::string& glibc_needed);

// The image as its programs find it with these libraries.
ImageFacts with_lent(ImageFacts image, const LentLibraries& lent);

}  // namespace cib
