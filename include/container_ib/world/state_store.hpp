// Journals on disk, one per step. See journal.hpp for what is in them.
#pragma once

#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/result.hpp"

namespace cib {

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

  // Tells the steps on this node that use one of `ports`, and learns from them, that a port is shared.
  // True when one of them is now used by another step.
  virtual bool share(const std::vector<std::string>& ports) = 0;
  // Whether another step has called share() with one of our ports since.
  virtual bool shared() = 0;
};

}  // namespace cib
