#include "adapters/linux/device_cgroup.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t most_programs = 64;  // the kernel's own limit for one cgroup (BPF_CGROUP_MAX_PROGS)
constexpr std::size_t most_instructions = 100'000;
constexpr int deepest_tree = 8;
static_assert(sizeof(BpfInstruction) == sizeof(bpf_insn));

// ---- bpf(2), for which the C library has no function
// -----------------------------------------------------------------------------------------------

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t address(const void* memory) { return reinterpret_cast<std::uint64_t>(memory); }

struct ProgramsOf {
  std::vector<std::uint32_t> ids;
  std::uint32_t flags = 0;  // by which they were attached
};

// `effective`: all that hold for its processes, also those of cgroups above it.
Result<ProgramsOf> programs_of(int cgroup, bool effective) {
  ProgramsOf found;
  found.ids.resize(most_programs);
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<__u32>(cgroup);
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.query_flags = effective ? BPF_F_QUERY_EFFECTIVE : 0;
  attributes.query.prog_ids = address(found.ids.data());
  attributes.query.prog_cnt = most_programs;
  if (bpf(BPF_PROG_QUERY, attributes) != 0)
    return error(Errc::kernel, "list the device programs of a cgroup", errno);
  found.ids.resize(std::min<std::size_t>(attributes.query.prog_cnt, most_programs));
  found.flags = attributes.query.attach_flags;
  return found;
}

struct Loaded {
  UniqueFd fd;
  DeviceProgram instructions;
};

// As they are after the verifier, which leaves those of a device program as they were written.
Result<Loaded> program_of(std::uint32_t id) {
  const std::string doing = "read device program " + std::to_string(id);
  Loaded program;
  bpf_attr by_id{};
  by_id.prog_id = id;
  program.fd = UniqueFd(bpf(BPF_PROG_GET_FD_BY_ID, by_id));
  if (!program.fd) return error(Errc::kernel, doing, errno);
  program.instructions.resize(most_instructions);
  bpf_prog_info info{};
  info.xlated_prog_len = static_cast<__u32>(program.instructions.size() * sizeof(BpfInstruction));
  info.xlated_prog_insns = address(program.instructions.data());
  bpf_attr about{};
  about.info.bpf_fd = static_cast<__u32>(program.fd.get());
  about.info.info_len = sizeof info;
  about.info.info = address(&info);
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, about) != 0) return error(Errc::kernel, doing, errno);
  if (info.xlated_prog_insns == 0 || info.xlated_prog_len == 0)
    return error(Errc::denied, doing + ": the kernel does not show it");
  program.instructions.resize(info.xlated_prog_len / sizeof(BpfInstruction));
  return program;
}

Result<UniqueFd> load_program(const DeviceProgram& instructions) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = address(instructions.data());
  attributes.insn_cnt = static_cast<__u32>(instructions.size());
  attributes.license = address("GPL");
  constexpr std::string_view name = "container_ib";
  std::copy(name.begin(), name.end(), attributes.prog_name);
  UniqueFd program(bpf(BPF_PROG_LOAD, attributes));
  if (!program) return error(Errc::kernel, "load a device program", errno);
  return program;
}

// In the place of the old one, at once: nobody is without rules in between.
Status replace_program(int cgroup, const Loaded& old, const DeviceProgram& instructions,
                       std::uint32_t flags) {
  CIB_TRY(const UniqueFd made, load_program(instructions));
  bpf_attr attributes{};
  attributes.target_fd = static_cast<__u32>(cgroup);
  attributes.attach_bpf_fd = static_cast<__u32>(made.get());
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = flags;  // without "multi" a cgroup has one program, and the new one replaces it
  if ((flags & BPF_F_ALLOW_MULTI) != 0) {
    attributes.attach_flags |= BPF_F_REPLACE;
    attributes.replace_bpf_fd = static_cast<__u32>(old.fd.get());
  }
  if (bpf(BPF_PROG_ATTACH, attributes) != 0) return error(Errc::kernel, "replace a device program", errno);
  return {};
}

// ---- the cgroups of a process
// -----------------------------------------------------------------------------------------------

UniqueFd open_cgroup(int at, const char* path) {
  return UniqueFd(::openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_file_system(int fd, unsigned long kind) {
  struct statfs about {};
  return ::fstatfs(fd, &about) == 0 && static_cast<unsigned long>(about.f_type) == kind;
}

// Of version 2, or of version 1's devices; empty: no mount here shows it.
std::optional<PlaceOfCgroup> cgroup_of(pid_t pid, bool unified) {
  for (const CgroupMembership& member : memberships(std::to_string(pid))) {
    const bool devices = ("," + member.controllers + ",").find(",devices,") != std::string::npos;
    if (unified ? !member.unified : !devices) continue;
    if (PlaceOfCgroup place = find_place(member, member.path); place.directory) return place;
  }
  return std::nullopt;
}

bool has_own_processes(int directory) {
  const auto procs = read_small_file_at(directory, "cgroup.procs");
  return !procs || !procs->empty();
}

bool has_processes(int directory, int depth) {
  if (has_own_processes(directory)) return true;
  if (depth == 0) return true;  // nobody knows
  for (const std::string& name : names_in(directory, ".", Entries::directories).value_or({}))
    if (const UniqueFd child = open_cgroup(directory, name.c_str()))
      if (has_processes(child.get(), depth - 1)) return true;
  return false;
}

// Whether others than what is below `child` are in it; empty: the process itself is, and all that is below.
bool has_other_children(int directory, const std::string& child) {
  for (const std::string& name : names_in(directory, ".", Entries::directories).value_or({})) {
    if (name == child) continue;
    const UniqueFd other = open_cgroup(directory, name.c_str());
    if (other && has_processes(other.get(), deepest_tree)) return true;
  }
  return false;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// One on the way from the process' cgroup to the root, with the programs that are attached to it.
struct Level {
  PlaceOfCgroup cgroup;
  std::string child;  // where it was come from; empty: the process' own
  ProgramsOf programs;
  bool root = false;
};

bool is_root(const PlaceOfCgroup& cgroup, unsigned long kind) {
  const UniqueFd above = open_cgroup(cgroup.directory.get(), "..");
  return !above || !is_file_system(above.get(), kind);
}

Result<std::vector<Level>> levels_above(PlaceOfCgroup own) {
  std::vector<Level> levels;
  std::string child;
  for (PlaceOfCgroup now = std::move(own);;) {
    CIB_TRY(auto programs, programs_of(now.directory.get(), false));
    const bool root = is_root(now, CGROUP2_SUPER_MAGIC);
    UniqueFd above = open_cgroup(now.directory.get(), "..");
    const std::string path = now.path;
    levels.push_back({std::move(now), child, std::move(programs), root});
    if (root) return levels;
    child = last_part(path);
    now = {path.substr(0, path.rfind('/')), std::move(above)};
  }
}

// Why what this cgroup allows is not for one container to be changed; empty: it is.
std::string shared_because(const Level& level) {
  if (level.root) return "the root of all cgroups";
  if (level.cgroup.path.ends_with(".slice")) return "a slice";
  const int directory = level.cgroup.directory.get();
  if (!level.child.empty() && (has_own_processes(directory) || has_other_children(directory, level.child)))
    return "one of other processes too";
  return {};
}

Status check_not_shared(const Level& level) {
  const auto shared = shared_because(level);
  if (shared.empty()) return {};
  return error(Errc::denied, "cgroup " + level.cgroup.path + " allows no HCA, and is " + shared +
                                 ": start the container with the devices (--device /dev/infiniband)");
}

bool is_unknown(const DeviceProgram& program, const std::vector<DeviceNumber>& devices) {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const DeviceNumber& device) { return !lets_open(program, device); });
}

std::vector<DeviceNumber> kept_by(const DeviceProgram& program, const std::vector<DeviceNumber>& devices) {
  std::vector<DeviceNumber> kept;
  for (const DeviceNumber& device : devices)
    if (lets_open(program, device) == false) kept.push_back(device);
  return kept;
}

std::string inode_text(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 ? std::to_string(about.st_ino) : "";
}

// ---- version 1
// -----------------------------------------------------------------------------------------------

std::string rule_of(const DeviceNumber& device) {
  return "c " + std::to_string(device.major) + ':' + std::to_string(device.minor) + " rw";
}

// "a *:* rwm" is there when all is allowed but what is on no list that can be read.
bool lists(std::string_view list, const DeviceNumber& device) {
  for (const std::string_view line : split(list, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() != 3 || words[2].find("rw") == std::string_view::npos) continue;
    const auto numbers = split(words[1], ':');
    const auto fits = [](std::string_view text, std::uint32_t number) {
      return text == "*" || text == std::to_string(number);
    };
    if ((words[0] == "a" || words[0] == "c") && numbers.size() == 2 && fits(numbers[0], device.major) &&
        fits(numbers[1], device.minor))
      return true;
  }
  return false;
}

Status write_rule(const PlaceOfCgroup& cgroup, const char* file, const DeviceNumber& device) {
  const std::string rule = rule_of(device);
  const UniqueFd fd(::openat(cgroup.directory.get(), file, O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), rule.data(), rule.size()) != static_cast<ssize_t>(rule.size()))
    return error(Errc::kernel, "write '" + rule + "' to " + cgroup.path + '/' + file, errno);
  return {};
}

// Without what it lists already.
Result<std::vector<DeviceNumber>> missing_in_list(const PlaceOfCgroup& cgroup,
                                                  std::vector<DeviceNumber> devices) {
  CIB_TRY(const std::string list, read_small_file_at(cgroup.directory.get(), "devices.list"));
  std::erase_if(devices, [&](const DeviceNumber& device) { return lists(list, device); });
  return devices;
}

// ---- version 2
// -----------------------------------------------------------------------------------------------

struct LevelSays {
  std::vector<DeviceNumber> kept;
  bool unknown = false;
};

// Of the programs that are attached to this cgroup, those in `holding`.
Result<LevelSays> said_by_level(const Level& level, const std::vector<std::uint32_t>& holding,
                                const std::vector<DeviceNumber>& devices) {
  LevelSays says;
  auto& kept = says.kept;
  for (const std::uint32_t id : level.programs.ids) {
    if (std::find(holding.begin(), holding.end(), id) == holding.end()) continue;
    CIB_TRY(const Loaded program, program_of(id));
    says.unknown = says.unknown || is_unknown(program.instructions, devices);
    for (const DeviceNumber& device : kept_by(program.instructions, devices))
      if (std::find(kept.begin(), kept.end(), device) == kept.end()) kept.push_back(device);
  }
  return says;
}

Status add_keeping_levels(PlaceOfCgroup own, const std::vector<DeviceNumber>& devices,
                          KeepingCgroups& found) {
  CIB_TRY(const auto levels, levels_above(std::move(own)));
  CIB_TRY(const auto holding, programs_of(levels.front().cgroup.directory.get(), true));
  for (const Level& level : levels) {
    CIB_TRY(auto says, said_by_level(level, holding.ids, devices));
    if (says.unknown) found.unknown.push_back(level.cgroup.path);
    if (says.kept.empty()) continue;
    CIB_CHECK(check_not_shared(level));
    found.to_widen.push_back(
        {level.cgroup.path, inode_text(level.cgroup.directory.get()), std::move(says.kept)});
  }
  return {};
}

// The cgroups above allow what its list misses, or the kernel says no.
Status add_keeping_list(PlaceOfCgroup own, const std::vector<DeviceNumber>& devices, KeepingCgroups& found) {
  CIB_TRY(auto missing, missing_in_list(own, devices));
  if (missing.empty()) return {};
  const bool root = is_root(own, CGROUP_SUPER_MAGIC);
  const Level level{.cgroup = std::move(own), .child = {}, .programs = {}, .root = root};
  CIB_CHECK(check_not_shared(level));
  found.to_widen.push_back({level.cgroup.path, inode_text(level.cgroup.directory.get()), std::move(missing)});
  return {};
}

// Calls change(program, flags) for each of the cgroup's.
template <class Change>
Status for_each_program(const PlaceOfCgroup& cgroup, Change change) {
  CIB_TRY(const auto programs, programs_of(cgroup.directory.get(), false));
  for (const std::uint32_t id : programs.ids) {
    CIB_TRY(const Loaded program, program_of(id));
    if (auto status = change(program, programs.flags); !status)
      return std::move(status).error().in("cgroup " + cgroup.path);
  }
  return {};
}

// The one that was meant, or none.
std::optional<PlaceOfCgroup> same_cgroup(const WidenedCgroup& cgroup) {
  PlaceOfCgroup found{cgroup.directory, open_cgroup(AT_FDCWD, cgroup.directory.c_str())};
  if (!found.directory || inode_text(found.directory.get()) != cgroup.inode) return std::nullopt;
  return found;
}

Error gone(const WidenedCgroup& cgroup) {
  return error(Errc::not_found, "cgroup " + cgroup.directory + " is gone");
}

}  // namespace

Result<bool> has_device_programs(pid_t pid) {
  const auto cgroup = cgroup_of(pid, true);
  if (!cgroup) return false;
  CIB_TRY(const auto holding, programs_of(cgroup->directory.get(), true));
  return !holding.ids.empty();
}

Result<std::vector<DeviceNumber>> devices_kept_from(pid_t pid, const std::vector<DeviceNumber>& devices) {
  std::vector<DeviceNumber> kept;
  const auto cgroup = cgroup_of(pid, true);
  if (!cgroup) return kept;
  CIB_TRY(const auto holding, programs_of(cgroup->directory.get(), true));
  for (const std::uint32_t id : holding.ids) {
    CIB_TRY(const Loaded program, program_of(id));
    for (const DeviceNumber& device : kept_by(program.instructions, devices))
      if (std::find(kept.begin(), kept.end(), device) == kept.end()) kept.push_back(device);
  }
  return kept;
}

Result<KeepingCgroups> device_cgroups_to_widen(pid_t pid, const std::vector<DeviceNumber>& devices) {
  KeepingCgroups found;
  if (auto unified = cgroup_of(pid, true)) CIB_CHECK(add_keeping_levels(std::move(*unified), devices, found));
  if (auto list = cgroup_of(pid, false)) CIB_CHECK(add_keeping_list(std::move(*list), devices, found));
  return found;
}

Status widen_device_cgroup(const WidenedCgroup& cgroup) {
  const auto found = same_cgroup(cgroup);
  if (!found) return gone(cgroup);
  if (!is_file_system(found->directory.get(), CGROUP2_SUPER_MAGIC)) {
    for (const DeviceNumber& device : cgroup.devices) CIB_CHECK(write_rule(*found, "devices.allow", device));
    return {};
  }
  return for_each_program(*found, [&](const Loaded& program, std::uint32_t flags) {
    if (kept_by(program.instructions, cgroup.devices).empty()) return Status();
    return replace_program(found->directory.get(), program, opened_for(program.instructions, cgroup.devices),
                           flags);
  });
}

Status narrow_device_cgroup(const WidenedCgroup& cgroup) {
  const auto found = same_cgroup(cgroup);
  if (!found) return {};
  if (!is_file_system(found->directory.get(), CGROUP2_SUPER_MAGIC)) {
    for (const DeviceNumber& device : cgroup.devices) CIB_CHECK(write_rule(*found, "devices.deny", device));
    return {};
  }
  return for_each_program(*found, [&](const Loaded& program, std::uint32_t flags) {
    const auto before = without_opened(program.instructions, cgroup.devices);
    return before ? replace_program(found->directory.get(), program, *before, flags) : Status();
  });
}

Status verify_device_cgroup(const WidenedCgroup& cgroup) {
  const auto found = same_cgroup(cgroup);
  if (!found) return gone(cgroup);
  const Error keeps = error(Errc::changed, "cgroup " + cgroup.directory + " keeps the devices back again");
  if (!is_file_system(found->directory.get(), CGROUP2_SUPER_MAGIC)) {
    CIB_TRY(const auto missing, missing_in_list(*found, cgroup.devices));
    return missing.empty() ? Status() : Status(keeps);
  }
  return for_each_program(*found, [&](const Loaded& program, std::uint32_t) {
    return kept_by(program.instructions, cgroup.devices).empty() ? Status() : Status(keeps);
  });
}

}  // namespace cib
