#include <algorithm>
#include <array>
#include <map>

#include "container_ib/image.hpp"
#include "container_ib/lending.hpp"
#include "container_ib/text.hpp"
#include "pmix_versions.hpp"

namespace cib {

namespace {

using LineKind = ImageLine::Kind;
using Lines = std::vector<ImageLine>;

constexpr std::string_view verbs_packages = "(Debian: ibverbs-providers; Red Hat: libibverbs)";

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What the image named.
std::string shown(std::string_view text) { return printable(text, 200); }

std::string file_of(const std::string& provider, const std::string& suffix) {
  return "lib" + provider + "-" + (suffix.empty() ? "rdmavNN" : suffix) + ".so";
}

// The provider's file for another release of libibverbs.
std::string other_release(const ImageVerbs& verbs, const std::string& provider) {
  const std::string begin = "lib" + provider + "-rdmav";
  for (const auto& file : verbs.providers)
    if (file.starts_with(begin)) return file;
  return {};
}

// HCAs of one provider.
ImageLine judge_provider(const ImageVerbs& verbs, const std::string& provider, const std::string& hcas) {
  const std::string file = file_of(provider, verbs.suffix);
  const std::string loss =
      ": libibverbs leaves " + hcas + " out (\"no userspace device-specific driver\"), and MPI goes by TCP; ";
  const std::string other = other_release(verbs, provider);
  if (other.empty())
    return {LineKind::finding, "no provider " + provider + loss + "install " + file + " in the image " +
                                   std::string(verbs_packages)};
  if (!verbs.suffix.empty() && !has(verbs.providers, file))
    return {LineKind::finding, shown(other) + " is not of the same release as " + shown(verbs.path) +
                                   ", which loads " + file + loss + "install both from one place"};
  if (!has(verbs.named, provider))
    return {LineKind::finding, "no file in " + shown(verbs.config) + " names the provider " + provider +
                                   loss + "write 'driver " + provider + "' into " + provider +
                                   ".driver there"};
  return {LineKind::fine, "provider " + provider + " for " + hcas};
}

// Device names by provider.
std::map<std::string, std::vector<std::string>> by_provider(const ImageNeeds& needs, Lines& lines) {
  std::map<std::string, std::vector<std::string>> devices;
  for (const auto& [device, driver] : needs.hcas)
    if (const auto provider = verbs_provider(driver); !provider.empty())
      devices[std::string(provider)].push_back(shown(device));
    else
      lines.push_back({LineKind::note, shown(device) + ": which provider its kernel driver '" +
                                           shown(driver) + "' needs is not known here"});
  return devices;
}

void judge_verbs(const ImageFacts& facts, const ImageNeeds& needs, Lines& lines) {
  if (!facts.verbs) {
    lines.push_back({LineKind::finding,
                     "no libibverbs.so.1: nothing in the image can use an HCA, and MPI goes by TCP; install "
                     "it with its providers " +
                         std::string(verbs_packages)});
    return;
  }
  lines.push_back({LineKind::fine, "libibverbs: " + shown(facts.verbs->path)});
  if (facts.verbs->providers.empty() && needs.hcas.empty())
    lines.push_back(
        {LineKind::finding,
         "libibverbs has no provider at all: it can use no HCA, and MPI goes by TCP; install them " +
             std::string(verbs_packages)});
  for (const auto& [provider, devices] : by_provider(needs, lines))
    lines.push_back(judge_provider(*facts.verbs, provider, join(devices)));
}

void judge_libc(const ImageFacts& facts, Lines& lines) {
  if (facts.musl.empty() || !facts.glibc.empty()) {
    if (!facts.glibc_version.empty())
      lines.push_back({LineKind::fine, "glibc " + shown(facts.glibc_version)});
    return;
  }
  const bool lacks = std::any_of(lines.begin(), lines.end(),
                                 [](const ImageLine& line) { return line.kind == LineKind::finding; });
  const std::string what =
      "musl instead of glibc (" + shown(facts.musl) +
      "): a node's libibverbs and providers, made for glibc, cannot be lent to the image; ";
  if (lacks)
    lines.push_back(
        {LineKind::finding, what + "install its distribution's own, or take an image with glibc"});
  else
    lines.push_back({LineKind::note, what + "it has its own"});
}

bool needs_mlx5(const ImageNeeds& needs) {
  return std::any_of(needs.hcas.begin(), needs.hcas.end(),
                     [](const ImageNeeds::Hca& hca) { return verbs_provider(hca.driver) == "mlx5"; });
}

void judge_ucx(const ImageFacts& facts, const ImageNeeds& needs, Lines& lines) {
  for (const auto& ucx : facts.ucx) {
    if (!ucx.ib)
      lines.push_back(
          {LineKind::finding, "UCX without InfiniBand: " + shown(ucx.path) +
                                  " has no ucx/libuct_ib.so.0 beside it, so it knows TCP and shared "
                                  "memory only; install that (Red Hat: ucx-ib), or build UCX "
                                  "--with-verbs"});
    else if (!ucx.mlx5 && needs_mlx5(needs))
      lines.push_back(
          {LineKind::note, "UCX without what is made for mlx5: " + shown(ucx.path) +
                               " has no ucx/libuct_ib_mlx5.so.0, so it uses plain verbs, which is "
                               "slower; install that (Red Hat: ucx-ib-mlx5), or build UCX --with-mlx5"});
    else
      lines.push_back({LineKind::fine, "UCX with InfiniBand: " + shown(ucx.path)});
  }
}

// A library that Open MPI moves its messages by.
struct Below {
  std::string_view name, library, packages;
  ImageOpenMpi::Part part;
  bool there;
};

ImageLine judge_open_mpi(const ImageOpenMpi& mpi, const ImageFacts& facts) {
  const std::array<Below, 2> all = {{
      {"UCX", "libucp.so.0", "(Debian: libucx0; Red Hat: ucx and ucx-ib)", mpi.ucx, !facts.ucx.empty()},
      {"OFI", "libfabric.so.1", "(Debian: libfabric1; Red Hat: libfabric)", mpi.ofi,
       !facts.libfabric.empty()},
  }};
  const std::string mine = "Open MPI (" + shown(mpi.path) + ")";
  const auto lacks = [&](const Below& below, const std::string& meaning) {
    return ImageLine{LineKind::finding, mine + " is made for " + std::string(below.name) +
                                            ", but there is no " + std::string(below.library) + ": " +
                                            meaning + "; install that library " +
                                            std::string(below.packages)};
  };
  for (const Below& below : all)
    if (below.part == ImageOpenMpi::Part::built_in && !below.there)
      return lacks(below, "no program that is linked with Open MPI starts");
  for (const Below& below : all)
    if (below.part != ImageOpenMpi::Part::none && below.there)
      return {LineKind::fine, mine + " with " + std::string(below.name)};
  for (const Below& below : all)
    if (below.part != ImageOpenMpi::Part::none)
      return lacks(below, "it does without, and its messages go by TCP");
  return {LineKind::finding,
          mine +
              " has neither UCX nor OFI: its messages go by TCP, or, where that is "
              "forbidden, MPI_Init ends with \"PML ob1 cannot be selected\"; take one that is "
              "built --with-ucx"};
}

// Whether PMIx is there says something where a server waits for it only.
void judge_pmix(const ImageFacts& facts, const ImageNeeds& needs, Lines& lines) {
  for (const auto& [path, version] : facts.pmix) {
    const std::string name =
        "PMIx " + (version.empty() ? "of unknown version" : shown(version)) + " (" + shown(path) + ")";
    if (pmix_can_talk(version, needs.pmix_server))
      lines.push_back({LineKind::fine, name});
    else
      lines.push_back({LineKind::finding,
                       name + " cannot talk to the step's server of version " + shown(needs.pmix_server) +
                           ": each rank starts alone, or MPI_Init fails; releases before 1.2.5, "
                           "2.0.3 and 2.1.1 know no other series, and 1 none from 3 on: take a "
                           "newer one into the image"});
  }
  const bool own = std::any_of(facts.open_mpi.begin(), facts.open_mpi.end(),
                               [](const ImageOpenMpi& mpi) { return mpi.pmix; });
  if (!needs.pmix_server.empty() && !facts.open_mpi.empty() && facts.pmix.empty() && !own)
    lines.push_back({LineKind::finding,
                     "no PMIx: Open MPI cannot reach the step's server, so each rank starts alone, as if it "
                     "were the only one; take an Open MPI that is built --with-pmix, and libpmix.so.2"});
}

}  // namespace

bool has_verbs_for(const ImageFacts& image, const ImageNeeds& needs) {
  Lines lines;
  judge_verbs(image, needs, lines);
  return std::none_of(lines.begin(), lines.end(),
                      [](const ImageLine& line) { return line.kind == LineKind::finding; });
}

Lines judge_image(const ImageFacts& facts, const ImageNeeds& needs) {
  Lines lines;
  judge_verbs(facts, needs, lines);
  judge_libc(facts, lines);
  judge_ucx(facts, needs, lines);
  for (const auto& mpi : facts.open_mpi) lines.push_back(judge_open_mpi(mpi, facts));
  judge_pmix(facts, needs, lines);
  if (facts.ucx.empty() && facts.open_mpi.empty())
    lines.push_back({LineKind::note, "neither UCX nor Open MPI was found; another MPI is not looked at"});
  if (!facts.whole)
    lines.push_back({LineKind::note, "the image has more than is looked at: something may have been missed"});
  return lines;
}

}  // namespace cib
