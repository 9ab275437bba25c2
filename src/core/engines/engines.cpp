#include "container_ib/engines.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "container_ib/text.hpp"

namespace cib {

namespace {

struct Engine {
  std::string_view name;
  bool user_namespace = true;                   // it makes one
  std::array<std::string_view, 2> shared = {};  // words that tell it to put a node's tasks into one container
  std::string_view shared_prefix = {};          // what such a word begins with
};

// Sarus and Shifter are set-uid root.
constexpr std::array engines = {
    Engine{"ch-run", true, {"--join", "-j"}},
    Engine{"apptainer", true, {"--sharens"}, "instance://"},
    Engine{"singularity", true, {}, "instance://"},
    Engine{"bwrap"},
    Engine{"podman"},
    Engine{"podman-hpc", true, {"shared-run"}},
    Engine{"enroot"},
    Engine{"crun"},
    Engine{"runc"},
    Engine{"sarus", false},
    Engine{"shifter", false},
};

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

const Engine* engine_called(std::string_view name) {
  const auto found =
      std::find_if(engines.begin(), engines.end(), [&](const Engine& engine) { return engine.name == name; });
  return found == engines.end() ? nullptr : &*found;
}

// Of the words behind it, those behind "--" are the program's.
bool shares_container(const Engine& engine, std::span<const std::string_view> words) {
  for (const std::string_view word : words) {
    if (word == "--") break;
    if (std::find(engine.shared.begin(), engine.shared.end(), word) != engine.shared.end()) return true;
    if (!engine.shared_prefix.empty() && word.starts_with(engine.shared_prefix)) return true;
  }
  return false;
}

EnginesOfCommand engines_among(std::span<const std::string_view> words) {
  EnginesOfCommand found;
  for (const std::string_view word : words)
    found.reads_folder |= last_component(word) == "podman" || word.starts_with("--cdi");
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Engine* engine = engine_called(last_component(words[i]));
    if (engine == nullptr) continue;
    found.any = true;
    found.directly = i == 0;
    found.singularity = engine->name == "singularity";
    found.apptainer = engine->name == "apptainer" || found.singularity;
    found.user_namespaces = engine->user_namespace && !shares_container(*engine, words.subspan(i + 1));
    break;
  }
  return found;
}

// A shell's comment begins with '#' at the start of a word.
std::string_view without_comment(std::string_view line) {
  for (auto at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  return line;
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
  std::vector<std::string_view> words;
  for (const std::string_view word : command)
    for (const std::string_view part : parts_of(word)) words.push_back(part);
  return engines_among(words);
}

EnginesOfCommand engines_of_script(std::string_view text) {
  std::vector<std::string_view> words;
  for (const std::string_view line : split(text, '\n'))
    for (const std::string_view part : parts_of(without_comment(line))) words.push_back(part);
  return engines_among(words);
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
