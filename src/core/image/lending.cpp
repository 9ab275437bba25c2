#include "container_ib/lending.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "container_ib/text.hpp"

namespace cib {

namespace {

struct GlibcVersion {
  unsigned major = 0, minor = 0;
  auto operator<=>(const GlibcVersion&) const = default;
};

std::optional<GlibcVersion> parse_glibc(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() < 2) return std::nullopt;
  const auto major = whole_number<unsigned>(parts[0]), minor = whole_number<unsigned>(parts[1]);
  if (!major || !minor) return std::nullopt;
  return GlibcVersion{*major, *minor};
}

}  // namespace

std::vector<std::string> providers_for(const ImageNeeds& needs) {
  std::vector<std::string> providers;
  for (const ImageNeeds::Hca& hca : needs.hcas)
    if (const std::string provider(verbs_provider(hca.driver));
        !provider.empty() && std::find(providers.begin(), providers.end(), provider) == providers.end())
      providers.push_back(provider);
  return providers;
}

std::string glibc_needed_by(std::string_view binary) {
  constexpr std::string_view name = "GLIBC_", relative = "GLIBC_ABI_DT_RELR";
  std::string newest;
  for (auto at = binary.find(name); at != std::string_view::npos; at = binary.find(name, at + 1)) {
    const std::string_view rest = binary.substr(at + name.size(), 16);
    newest = newer_glibc(newest, std::string(rest.substr(0, rest.find_first_not_of("0123456789."))));
  }
  // A name without a number, which 2.36 was the first to have (-z pack-relative-relocs).
  return binary.find(relative) == std::string_view::npos ? newest : newer_glibc(newest, "2.36");
}

std::string newer_glibc(const std::string& a, const std::string& b) {
  const auto first = parse_glibc(a), second = parse_glibc(b);
  if (!first || !second) return second ? b : first ? a : "";
  return *first < *second ? b : a;
}

Status check_can_borrow(const ImageFacts& image, const std::string& glibc_needed) {
  if (image.glibc.empty())
    return error(Errc::unsupported, image.musl.empty()
                                        ? "the image has no glibc, which a node's libraries need"
                                        : "the image has musl, and a node's libraries need glibc");
  const auto has = parse_glibc(image.glibc_version), needed = parse_glibc(glibc_needed);
  if (!has) return error(Errc::unsupported, "the image does not tell the release of its glibc");
  if (needed && *has < *needed)
    return error(Errc::unsupported, "this node's libibverbs needs glibc " + glibc_needed +
                                        ", and the image has " + printable(image.glibc_version, 20));
  return {};
}

ImageFacts with_lent(ImageFacts image, const LentLibraries& lent) {
  ImageVerbs verbs{.path = std::string(lent_folder) + "/libibverbs.so.1",
                   .suffix = lent.suffix,
                   .config = lent_folder,
                   .named = lent.providers,
                   .providers = {}};
  for (const std::string& provider : lent.providers)
    verbs.providers.push_back("lib" + provider + "-" + lent.suffix + ".so");
  image.verbs = std::move(verbs);
  return image;
}

}  // namespace cib
