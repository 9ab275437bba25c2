// Journals on disk, one per step. See journal.hpp for what is in them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Another step that has a port of ours, and the mode by which it has it.
struct Sharer {
  std::string step, mode;
};

// What a step says of itself to those that it shares ports with. Unsure: nobody has looked yet whether it
// does anything with them.
enum class PortUse { unsure, idle, used };

// The journal of this process' own step.
class StateStore {
 public:
  virtual ~StateStore() = default;
  // Makes the step's directory and its journal, with the record that says who the owner is: no reaper sees
  // the one without the other. In_use when there is a directory that was not given back.
  virtual Status create(const std::string& step, const Record& first) = 0;
  // Where files of the step may be kept until remove(): "/run/container-ib/17.0". Valid after create().
  virtual std::string directory() const = 0;
  // Returns when the record would survive the death of this process.
  virtual Status append(const Record& record) = 0;
  // Removes the journal and its directory. Success when there is none.
  virtual Status remove() = 0;

  // Tells the steps on this node that have one of `ports` already that it has it too, and returns who they
  // are.
  virtual std::vector<Sharer> share(const std::vector<std::string>& ports) = 0;
  // Tells all that have one of `ports` by now what this step does with them.
  virtual void tell_use(const std::vector<std::string>& ports, PortUse use) = 0;
  // Who has called share() or tell_use() with one of our ports, and what it last said.
  virtual std::map<std::string, PortUse> sharers() = 0;
};

}  // namespace cib
