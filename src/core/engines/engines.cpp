#include "container_ib/engines.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::array<std::string_view, 7> names = {"ch-run", "apptainer", "singularity", "bwrap",
                                                   "podman", "crun",      "runc"};

std::string_view without_directory(std::string_view word) {
  word.remove_prefix(word.rfind('/') + 1);  // npos + 1 is 0
  return word;
}

// The words in a word, as a shell's -c has them.
std::vector<std::string_view> parts_of(std::string_view word) {
  std::vector<std::string_view> parts;
  while (!word.empty()) {
    const auto end = word.find_first_of(" \t\n;&|()`\"'{}<>");
    if (end != 0) parts.push_back(word.substr(0, end));
    if (end == std::string_view::npos) break;
    word.remove_prefix(end + 1);
  }
  return parts;
}

// Charliecloud's way to put the tasks of a node into one container.
bool joins_containers(std::span<const std::string_view> words) {
  for (const std::string_view word : words) {
    if (word == "--") break;
    if (word == "--join" || word == "-j") return true;
  }
  return false;
}

bool is_of_slurm_or_ours(std::string_view name) {
  for (const std::string_view prefix : {"SLURM_", "PMIX_", "PMI_", "PMI2_", "CONTAINER_IB_"})
    if (name.starts_with(prefix)) return true;
  return false;
}

bool lists(std::string_view paths, std::string_view wanted) {
  for (const std::string_view path : split(paths, ','))
    if (path.substr(0, path.find(':')) == wanted) return true;
  return false;
}

}  // namespace

EnginesOfCommand engines_of(std::span<const std::string_view> command) {
  EnginesOfCommand found;
  std::vector<std::string_view> words;
  for (const std::string_view word : command)
    for (const std::string_view part : parts_of(word)) words.push_back(part);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto name = without_directory(words[i]);
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    found.any = true;
    found.directly = i == 0;
    found.apptainer = name == "apptainer" || name == "singularity";
    found.user_namespaces = name != "ch-run" || !joins_containers(std::span(words).subspan(i));
    break;
  }
  return found;
}

std::vector<EnvironmentChange> apptainer_environment(const EnginesOfCommand& engines,
                                                     std::span<const std::string_view> environment,
                                                     std::span<const std::string> ours) {
  constexpr std::string_view folder = "/dev/infiniband";
  std::map<std::string, std::string_view, std::less<>> now;
  for (const std::string_view entry : environment)
    if (const auto equals = entry.find('='); equals != std::string_view::npos && equals != 0)
      now.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  std::vector<EnvironmentChange> changes;
  // Apptainer reads Singularity's variable only where its own is not set.
  const bool older = now.contains("SINGULARITY_BIND") && !now.contains("APPTAINER_BIND");
  const std::string bind = older ? "SINGULARITY_BIND" : "APPTAINER_BIND";
  const std::string paths(now.contains(bind) ? now.find(bind)->second : "");
  if (!lists(paths, folder))
    changes.push_back({bind, paths + (paths.empty() ? "" : ",") + std::string(folder)});
  if (!engines.apptainer) return changes;
  for (const auto& [name, value] : now) {
    const std::string inside = "APPTAINERENV_" + name;
    const bool tuning = engines.directly && std::find(ours.begin(), ours.end(), name) != ours.end();
    if (is_of_slurm_or_ours(name) || (tuning && !now.contains(inside)))
      changes.push_back({inside, std::string(value)});
  }
  return changes;
}

}  // namespace cib
