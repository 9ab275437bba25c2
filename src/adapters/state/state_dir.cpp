#include "adapters/state/state_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/file_lock.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/trusted_file.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr const char* journal_name = "journal";
constexpr std::string_view sharer_prefix = "sharer-";  // and that step's name; what it says is in the file
constexpr int begin_timeout_ms = 10'000;               // a few system calls each
constexpr std::size_t max_journal = 4 * 1024 * 1024;

constexpr const char* graves_name = "died";
constexpr std::size_t kept_journals = 16;
constexpr off_t largest_kept = 256 * 1024;

Status check_trusted(const UniqueFd& directory, const std::string& path) {
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return error(Errc::kernel, "stat " + path, errno);
  if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & 022) != 0)
    return error(Errc::bad_config,
                 path + " belongs to or can be written by others; remove it, it is made anew");
  return {};
}

Error open_error(const std::string& what) {
  const Errc code = errno == ENOENT ? Errc::not_found : errno == EACCES ? Errc::denied : Errc::kernel;
  return error(code, "open " + what, errno);
}

Result<UniqueFd> open_state(const std::string& path, bool make) {
  CIB_CHECK(check_directories_to(path));
  if (make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return error(Errc::kernel, "mkdir " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return open_error(path);
  CIB_CHECK(check_trusted(directory, path));
  return directory;
}

Result<UniqueFd> open_step(const UniqueFd& state, const std::string& step) {
  UniqueFd directory(::openat(state.get(), step.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return open_error(step);
  return directory;
}

// None of what cannot be read.
std::vector<std::string> entries_of(const UniqueFd& directory) {
  return names_in(directory.get(), ".").value_or({});
}

// The state directory also holds what is neither: the inventory. A step begins with the number of its job.
std::vector<std::string> steps_in(const UniqueFd& state) {
  auto names = entries_of(state);
  std::erase_if(names, [](const std::string& name) {
    return (name[0] < '0' || name[0] > '9') && !is_container_attachment(name);
  });
  return names;
}

Result<std::string> read_journal(const UniqueFd& step) {
  const UniqueFd file(::openat(step.get(), journal_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return error(Errc::kernel, "open journal", errno);
  return read_whole(file.get(), "journal", max_journal, error(Errc::corrupt, "journal larger than 4 MiB"));
}

Result<std::vector<Record>> records_of(const UniqueFd& state, const std::string& step) {
  CIB_TRY(const UniqueFd directory, open_step(state, step));
  CIB_TRY(const std::string contents, read_journal(directory));
  return decode_journal(contents);
}

// Of the whole file; open file descriptions have it, not processes (fcntl(2), F_OFD_SETLK).
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// Asks, and takes nothing.
bool is_held(const UniqueFd& state, const std::string& step) {
  const auto directory = open_step(state, step);
  if (!directory) return false;
  const UniqueFd journal(::openat(directory->get(), journal_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct flock lock = whole_file();
  return journal.valid() && ::fcntl(journal.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

JournaledStep look_at(const UniqueFd& state, const std::string& step) {
  return {step, records_of(state, step), is_held(state, step)};
}

// The journal goes last but one: a directory without one is what a crash in between leaves, and it is
// removable too.
Status remove_from(const UniqueFd& state, const std::string& step) {
  auto directory = open_step(state, step);
  if (!directory)
    return directory.error().code == Errc::not_found ? Status() : Status(std::move(directory).error());
  for (const std::string& name : entries_of(*directory))
    if (::unlinkat(directory->get(), name.c_str(), 0) != 0 && errno != ENOENT)
      return error(Errc::kernel, "remove " + step + '/' + name, errno);
  if (::unlinkat(state.get(), step.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return error(Errc::kernel, "remove " + step, errno);
  return {};
}

// The oldest first: the time stands before the step's name, and has as many digits until the year 2286.
void remove_oldest(const UniqueFd& graves) {
  auto names = entries_of(graves);
  for (std::size_t i = 0; i + kept_journals <= names.size(); ++i)
    (void)::unlinkat(graves.get(), names[i].c_str(), 0);
}

// Whether it is kept or not must not matter to who gives a step back.
std::string keep_journal(const UniqueFd& state, const std::string& step) {
  (void)::mkdirat(state.get(), graves_name, 0700);
  const UniqueFd graves(::openat(state.get(), graves_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const auto directory = open_step(state, step);
  struct stat journal {};
  if (!graves || !directory ||
      ::fstatat(directory->get(), journal_name, &journal, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(journal.st_mode) || journal.st_size == 0 || journal.st_size > largest_kept)
    return {};
  remove_oldest(graves);
  const std::string name = std::to_string(std::time(nullptr)) + '-' + step;
  if (::renameat(directory->get(), journal_name, graves.get(), name.c_str()) != 0) return {};
  return std::string(graves_name) + '/' + name;
}

Status write_line(const UniqueFd& journal, const std::string& line, const std::string& step) {
  ssize_t written = -1;
  do written = ::write(journal.get(), line.data(), line.size());
  while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(line.size()))
    return error(Errc::kernel, "write the journal of " + step, written < 0 ? errno : ENOSPC);
  if (::fdatasync(journal.get()) != 0) return error(Errc::kernel, "sync the journal of " + step, errno);
  return {};
}

bool common_port(const std::vector<std::string>& ports, const std::vector<Record>& records) {
  const std::string names = ports_of(records).ports;
  const auto theirs = split(names, ',');
  return std::any_of(ports.begin(), ports.end(), [&](const std::string& port) {
    return std::find(theirs.begin(), theirs.end(), port) != theirs.end();
  });
}

}  // namespace

Status StateDir::create(const std::string& step, const Record& first) {
  CIB_TRY(const UniqueFd state, open_state(path_, true));
  CIB_CHECK(lock(state, path_, begin_timeout_ms));
  if (::mkdirat(state.get(), step.c_str(), 0700) != 0) {
    if (errno != EEXIST) return error(Errc::kernel, "mkdir " + path_ + '/' + step, errno);
    return error(Errc::in_use, "what an earlier run of " + title_of(step) +
                                   " left is not given back yet; 'container-ib reap' on the node says why");
  }
  step_ = step;
  auto status = begin_journal(state, first);
  if (!status) (void)remove_from(state, step);
  return status;
}

Status StateDir::begin_journal(const UniqueFd& state, const Record& first) {
  CIB_TRY(directory_, open_step(state, step_));
  journal_ = UniqueFd(::openat(directory_.get(), journal_name,
                               O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!journal_) return error(Errc::kernel, "create " + path_ + '/' + step_ + "/journal", errno);
  struct flock lock = whole_file();
  if (::fcntl(journal_.get(), F_OFD_SETLK, &lock) != 0)
    return error(Errc::kernel, "lock the journal of " + step_, errno);
  length_ = 0;
  broken_ = false;
  return append(first);
}

// A full file system takes a part of a line, and the next line would make one with it that nobody can read.
Status StateDir::append(const Record& record) {
  if (broken_)
    return error(Errc::kernel,
                 "the journal of " + step_ + " ends in a part of a line that cannot be cut off");
  const std::string line = encode_record(record);
  auto status = write_line(journal_, line, step_);
  if (status.ok())
    length_ += static_cast<off_t>(line.size());
  else
    broken_ = ::ftruncate(journal_.get(), length_) != 0;
  return status;
}

Status StateDir::remove() {
  if (step_.empty()) return {};
  CIB_TRY(const UniqueFd state, open_state(path_, false));
  CIB_CHECK(remove_from(state, step_));
  journal_.reset();
  directory_.reset();
  return {};
}

// The word is written at once, and who reads before that finds an empty file, which is unsure.
std::vector<Sharer> StateDir::tell(const std::vector<std::string>& ports, PortUse use) {
  std::vector<Sharer> sharers;
  const auto state = open_state(path_, false);
  if (!state) return sharers;
  const std::string name = std::string(sharer_prefix) + step_;
  const std::string_view word = use == PortUse::used ? "used" : use == PortUse::idle ? "idle" : "";
  for (const std::string& other : steps_in(*state)) {
    if (other == step_) continue;
    const auto records = records_of(*state, other);
    if (!records || !common_port(ports, *records)) continue;
    sharers.push_back({other, ports_of(*records).mode});
    const auto directory = open_step(*state, other);
    if (!directory) continue;
    const UniqueFd file(::openat(directory->get(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file && !word.empty()) (void)!::write(file.get(), word.data(), word.size());
  }
  return sharers;
}

std::vector<Sharer> StateDir::share(const std::vector<std::string>& ports) {
  return tell(ports, PortUse::unsure);
}

void StateDir::tell_use(const std::vector<std::string>& ports, PortUse use) { (void)tell(ports, use); }

std::map<std::string, PortUse> StateDir::sharers() {
  std::map<std::string, PortUse> found;
  if (!directory_) return found;
  for (const std::string& name : entries_of(directory_)) {
    if (!name.starts_with(sharer_prefix)) continue;
    const auto word = read_small_file_at(directory_.get(), name, 16);
    found[name.substr(sharer_prefix.size())] = word && *word == "used"   ? PortUse::used
                                               : word && *word == "idle" ? PortUse::idle
                                                                         : PortUse::unsure;
  }
  return found;
}

Result<std::vector<JournaledStep>> stored_steps(const std::string& path) {
  std::vector<JournaledStep> steps;
  const auto state = open_state(path, false);
  if (!state) {
    if (state.error().code == Errc::not_found) return steps;
    return state.error();
  }
  CIB_CHECK(lock(*state, path, begin_timeout_ms));
  for (const std::string& name : steps_in(*state)) {
    steps.push_back(look_at(*state, name));
    const auto& records = steps.back().records;
    if (!records && records.error().code == Errc::denied) return records.error();
  }
  return steps;
}

Result<JournaledStep> stored_step(const std::string& path, const std::string& step) {
  CIB_TRY(const UniqueFd state, open_state(path, false));
  CIB_CHECK(lock(state, path, begin_timeout_ms));
  return look_at(state, step);
}

// The lock is on the directory, which whoever held it before may have removed meanwhile, and a job that was
// requeued may have one of the same name by now.
Result<UniqueFd> lock_stored_step(const std::string& path, const std::string& step, int timeout_ms) {
  for (;;) {
    const auto state = open_state(path, false);
    if (!state) return state.error().code == Errc::not_found ? UniqueFd() : Result<UniqueFd>(state.error());
    auto directory = open_step(*state, step);
    if (!directory)
      return directory.error().code == Errc::not_found ? UniqueFd() : Result<UniqueFd>(directory.error());
    CIB_CHECK(lock(*directory, path + '/' + step, timeout_ms));
    struct stat locked = {};
    struct stat present = {};
    if (::fstat(directory->get(), &locked) == 0 &&
        ::fstatat(state->get(), step.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0 &&
        locked.st_ino == present.st_ino)
      return std::move(directory).value();
  }
}

// Who wrote may have been killed in the middle of a line.
Result<off_t> end_of_last_line(const UniqueFd& journal, const std::string& step) {
  CIB_TRY(const std::string contents, read_whole(journal.get(), "journal", max_journal,
                                                 error(Errc::corrupt, "journal larger than 4 MiB")));
  const auto newline = contents.rfind('\n');
  const auto end = newline == std::string::npos ? 0 : static_cast<off_t>(newline + 1);
  if (end != static_cast<off_t>(contents.size()) && ::ftruncate(journal.get(), end) != 0)
    return error(Errc::kernel, "cut half a line off the journal of " + step, errno);
  return end;
}

Status append_to_stored_step(const std::string& path, const std::string& step, const Record& record) {
  CIB_TRY(const UniqueFd state, open_state(path, false));
  CIB_TRY(const UniqueFd directory, open_step(state, step));
  const UniqueFd journal(::openat(directory.get(), journal_name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (!journal) return error(Errc::kernel, "open the journal of " + step, errno);
  CIB_TRY(const off_t length, end_of_last_line(journal, step));
  auto status = write_line(journal, encode_record(record), step);
  if (!status) (void)!::ftruncate(journal.get(), length);
  return status;
}

Status forget_stored_step(const std::string& path, const std::string& step) {
  const auto state = open_state(path, false);
  if (!state) return state.error().code == Errc::not_found ? Status() : Status(state.error());
  return remove_from(*state, step);
}

Result<std::string> bury_stored_step(const std::string& path, const std::string& step) {
  const auto state = open_state(path, false);
  if (!state)
    return state.error().code == Errc::not_found ? std::string() : Result<std::string>(state.error());
  const std::string kept = keep_journal(*state, step);
  CIB_CHECK(remove_from(*state, step));
  return kept.empty() ? kept : path + '/' + kept;
}

}  // namespace cib
