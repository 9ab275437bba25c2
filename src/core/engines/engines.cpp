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
  for (const std::string_view prefix : {"SLURM_", "SLURMD_", "PMIX_", "PMI_", "PMI2_", "CONTAINER_IB_"})
    if (name.starts_with(prefix)) return true;
  return false;
}

using Variables = std::map<std::string, std::string_view, std::less<>>;

Variables variables_of(std::span<const std::string_view> environment) {
  Variables variables;
  for (const std::string_view entry : environment)
    if (const auto equals = entry.find('='); equals != std::string_view::npos && equals != 0)
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  return variables;
}

bool lists(std::string_view paths, std::string_view wanted) {
  for (const std::string_view path : split(paths, ','))
    if (path.substr(0, path.find(':')) == wanted) return true;
  return false;
}

// SingularityCE reads only the variables of its own name. Apptainer reads both, says nothing while they are
// alike, and where they are not it warns and takes its own (since 1.0: pkg/cmdline/flag.go,
// internal/pkg/util/env). Which of the two `singularity` is, nobody can tell from the name.
constexpr const char* apptainer_inside = "APPTAINERENV_";
constexpr const char* singularity_inside = "SINGULARITYENV_";

// What a user binds by one name only goes on to be bound: Apptainer would no longer look at Singularity's.
// What he binds by Apptainer's is not for SingularityCE, to which he has said nothing.
std::vector<EnvironmentChange> binds(const Variables& now) {
  constexpr std::string_view folder = "/dev/infiniband";
  const auto of_apptainer = now.find("APPTAINER_BIND");
  const auto of_singularity = now.find("SINGULARITY_BIND");
  std::vector<EnvironmentChange> changes;
  const auto bind = [&](const char* name, Variables::const_iterator already) {
    const std::string paths(already == now.end() ? "" : already->second);
    if (!lists(paths, folder))
      changes.push_back({name, paths + (paths.empty() ? "" : ",") + std::string(folder)});
    else if (!now.contains(name))
      changes.push_back({name, paths});
  };
  bind("APPTAINER_BIND", of_apptainer == now.end() ? of_singularity : of_apptainer);
  if (of_singularity != now.end() || of_apptainer == now.end()) bind("SINGULARITY_BIND", of_singularity);
  return changes;
}

}  // namespace

EnginesOfCommand engines_of(std::span<const std::string_view> command) {
  EnginesOfCommand found;
  std::vector<std::string_view> words;
  for (const std::string_view word : command)
    for (const std::string_view part : parts_of(word)) words.push_back(part);
  for (const std::string_view word : words)
    found.reads_folder |= without_directory(word) == "podman" || word.starts_with("--cdi");
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto name = without_directory(words[i]);
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    found.any = true;
    found.directly = i == 0;
    found.singularity = name == "singularity";
    found.apptainer = name == "apptainer" || found.singularity;
    found.user_namespaces = name != "ch-run" || !joins_containers(std::span(words).subspan(i));
    break;
  }
  return found;
}

std::vector<EnvironmentChange> apptainer_environment(const EnginesOfCommand& engines,
                                                     std::span<const std::string_view> environment,
                                                     std::span<const std::string> ours) {
  const Variables now = variables_of(environment);
  std::vector<EnvironmentChange> changes = binds(now);
  if (!engines.apptainer) return changes;
  for (const auto& [name, value] : now) {
    const std::string inside = apptainer_inside + name;
    const std::string of_sister = singularity_inside + name;
    const bool users = now.contains(inside) || now.contains(of_sister);
    const bool tuning = engines.directly && std::find(ours.begin(), ours.end(), name) != ours.end();
    if (!is_of_slurm_or_ours(name) && (!tuning || users)) continue;
    changes.push_back({inside, std::string(value)});
    if (engines.singularity || now.contains(of_sister)) changes.push_back({of_sister, std::string(value)});
  }
  return changes;
}

}  // namespace cib
