// The facts of an image as text: a line per thing, its fields between blanks, anything unusual as %XX. An
// empty field is nothing between two blanks.
#include <array>

#include "container_ib/image.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::string_view image_heading = "container-ib image 1";
constexpr std::string_view yes = "yes", no = "no";

using ImageFields = std::vector<std::string>;

void write(std::string& text, std::string_view kind, const std::vector<std::string_view>& fields) {
  text += kind;
  for (const auto field : fields) (text += ' ') += percent_encoded(field, "/_.-");
  text += '\n';
}

std::string_view word(bool value) { return value ? yes : no; }

bool read_flag(const std::string& field, bool& value) {
  value = field == yes;
  return value || field == no;
}

using Part = ImageOpenMpi::Part;
constexpr std::array part_names = {std::pair{Part::none, no},
                                   std::pair{Part::component, std::string_view("component")},
                                   std::pair{Part::built_in, std::string_view("built-in")}};

std::string_view word(Part value) {
  for (const auto& [part, name] : part_names)
    if (part == value) return name;
  return no;
}

bool read_part(const std::string& field, Part& value) {
  for (const auto& [part, name] : part_names)
    if (name == field) {
      value = part;
      return true;
    }
  return false;
}

bool read_loader(ImageFields&& f, ImageFacts& facts) {
  facts.glibc = std::move(f[0]);
  facts.glibc_version = std::move(f[1]);
  facts.musl = std::move(f[2]);
  return true;
}

bool read_verbs(ImageFields&& f, ImageFacts& facts) {
  if (facts.verbs) return false;
  facts.verbs = ImageVerbs{std::move(f[0]), std::move(f[1]), std::move(f[2]), {}, {}};
  return true;
}

bool read_named(ImageFields&& f, ImageFacts& facts) {
  if (!facts.verbs) return false;
  facts.verbs->named.push_back(std::move(f[0]));
  return true;
}

bool read_provider(ImageFields&& f, ImageFacts& facts) {
  if (!facts.verbs) return false;
  facts.verbs->providers.push_back(std::move(f[0]));
  return true;
}

bool read_ucx(ImageFields&& f, ImageFacts& facts) {
  auto& ucx = facts.ucx.emplace_back();
  ucx.path = std::move(f[0]);
  return read_flag(f[1], ucx.ib) && read_flag(f[2], ucx.mlx5);
}

bool read_open_mpi(ImageFields&& f, ImageFacts& facts) {
  auto& mpi = facts.open_mpi.emplace_back();
  mpi.path = std::move(f[0]);
  return read_part(f[1], mpi.ucx) && read_part(f[2], mpi.ofi) && read_flag(f[3], mpi.pmix);
}

bool read_pmix(ImageFields&& f, ImageFacts& facts) {
  facts.pmix.push_back({std::move(f[0]), std::move(f[1])});
  return true;
}

bool read_libfabric(ImageFields&& f, ImageFacts& facts) {
  facts.libfabric = std::move(f[0]);
  return true;
}

bool read_whole(ImageFields&& f, ImageFacts& facts) { return read_flag(f[0], facts.whole); }

struct ImageRecord {
  std::string_view name;
  std::size_t fields;
  bool (*read)(ImageFields&&, ImageFacts&);
};

constexpr std::array image_records = {
    ImageRecord{"loader", 3, read_loader},     ImageRecord{"verbs", 3, read_verbs},
    ImageRecord{"named", 1, read_named},       ImageRecord{"provider", 1, read_provider},
    ImageRecord{"ucx", 3, read_ucx},           ImageRecord{"pmix", 2, read_pmix},
    ImageRecord{"open-mpi", 4, read_open_mpi}, ImageRecord{"libfabric", 1, read_libfabric},
    ImageRecord{"whole", 1, read_whole},
};

bool read_line(std::string_view line, ImageFacts& facts) {
  const auto words = split(line, ' ');
  for (const auto& [name, fields, read] : image_records) {
    if (words[0] != name || words.size() != fields + 1) continue;
    ImageFields decoded;
    for (std::size_t i = 1; i < words.size(); ++i) {
      auto field = percent_decoded(words[i]);
      if (!field) return false;
      decoded.push_back(*std::move(field));
    }
    return read(std::move(decoded), facts);
  }
  return false;
}

}  // namespace

std::string encode_image(const ImageFacts& facts) {
  std::string text(image_heading);
  text += '\n';
  write(text, "loader", {facts.glibc, facts.glibc_version, facts.musl});
  if (const auto& verbs = facts.verbs) {
    write(text, "verbs", {verbs->path, verbs->suffix, verbs->config});
    for (const auto& name : verbs->named) write(text, "named", {name});
    for (const auto& name : verbs->providers) write(text, "provider", {name});
  }
  for (const auto& [path, ib, mlx5] : facts.ucx) write(text, "ucx", {path, word(ib), word(mlx5)});
  for (const auto& [path, ucx, ofi, pmix] : facts.open_mpi)
    write(text, "open-mpi", {path, word(ucx), word(ofi), word(pmix)});
  for (const auto& [path, version] : facts.pmix) write(text, "pmix", {path, version});
  write(text, "libfabric", {facts.libfabric});
  write(text, "whole", {word(facts.whole)});
  return text;
}

// Without its last line it was cut off.
Result<ImageFacts> decode_image(std::string_view text) {
  ImageFacts facts;
  const auto lines = split(text, '\n');
  const auto broken = [](std::size_t line) {
    return error(Errc::corrupt, "facts of an image: line " + std::to_string(line) + " is not one");
  };
  if (lines.size() < 3 || lines[0] != image_heading || !lines.back().empty()) return broken(1);
  for (std::size_t i = 1; i + 1 < lines.size(); ++i)
    if (!read_line(lines[i], facts)) return broken(i + 1);
  if (!lines[lines.size() - 2].starts_with("whole ")) return broken(lines.size() - 1);
  return facts;
}

}  // namespace cib
