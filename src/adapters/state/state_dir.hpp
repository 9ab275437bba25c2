// Journals below one directory that only root can read: <state>/<job>.<step>/journal, and of what is attached
// to a container <state>/pid-<number>/journal.
//
// On tmpfs on purpose: the journal and the kernel objects it describes vanish together at a reboot.
// Everything is opened relative to directory descriptors and never through a symbolic link.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/world/state_store.hpp"
#include "container_ib/world/stored_steps.hpp"

namespace cib {

inline constexpr const char* default_state_dir = "/run/container-ib";

// While it lives it holds a lock on its journal, which the kernel lets go of when the process ends, whatever
// namespaces who asks is in: that is how `held` of JournaledStep is known.
class StateDir : public StateStore {
 public:
  explicit StateDir(std::string path) : path_(std::move(path)) {}

  Status create(const std::string& step, const Record& first) override;
  std::string directory() const override { return path_ + '/' + step_; }
  Status append(const Record& record) override;
  Status remove() override;
  std::vector<Sharer> share(const std::vector<std::string>& ports) override;
  void tell_use(const std::vector<std::string>& ports, PortUse use) override;
  std::map<std::string, PortUse> sharers() override;

 private:
  std::vector<Sharer> tell(const std::vector<std::string>& ports, PortUse use);
  Status begin_journal(const UniqueFd& state, const Record& first);

  std::string path_, step_;
  UniqueFd directory_, journal_;
  off_t length_ = 0;     // of the journal, in whole lines
  bool broken_ = false;  // there is a part of a line at its end, which cannot be cut off
};

// Every step that has a journal, sorted by name. No state directory: no steps. Not one whose agent is just
// beginning its journal: that is waited for, in bounded time.
Result<std::vector<JournaledStep>> stored_steps(const std::string& path);

// One step, in the same way.
Result<JournaledStep> stored_step(const std::string& path, const std::string& step);

// For who gives back what the step left: nobody else can while the result is held. Invalid when there is no
// such step any more; timed_out when somebody else held it for `timeout_ms`.
Result<UniqueFd> lock_stored_step(const std::string& path, const std::string& step, int timeout_ms);

// Writes one more record behind what is there. Nobody may have the journal (StateDir) meanwhile.
Status append_to_stored_step(const std::string& path, const std::string& step, const Record& record);

// Removes one step's directory and keeps nothing; success when there is none.
Status forget_stored_step(const std::string& path, const std::string& step);

// Removes one step's directory; success when there is none. Its journal is kept for who looks into what
// happened, below "died" of the state directory, with the 15 latest others. Returns its path there, empty
// when there was none, or none that could be kept.
Result<std::string> bury_stored_step(const std::string& path, const std::string& step);

}  // namespace cib
