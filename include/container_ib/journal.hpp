// The journal of a step on a node: what was done to the node, written before it is done.
//
// Text, one record a line:  CIB1 <crc32> <seq> <mark> <verb> key=value ...
// A torn last line is the end (its effect never started). Anything else that does not parse is corrupt: the
// reader then keeps the file and reports it rather than guess.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

enum class Mark { intent, done, undone };

struct Record {
  std::uint32_t seq = 0;
  Mark mark = Mark::intent;
  std::string verb;                           // "open", "mount_devices", ...
  std::map<std::string, std::string> fields;  // values are percent-encoded on disk

  std::string field(const std::string& key) const;  // empty when absent
};

std::string encode_record(const Record& record);  // with the newline
// What is in it, without version and checksum, in printable characters: "7 intent vf_link name=ib0 pci=..."
std::string record_text(const Record& record);
Result<std::vector<Record>> decode_journal(std::string_view contents);  // in file order

// What the step uses, "mlx5_0:1,mlx5_1:1", and its mode: of the last record "ports", which is written when
// everything is attached, and again for a task that comes late. Empty before.
std::string ports_of(const std::vector<Record>& records);
std::string mode_of(const std::vector<Record>& records);

// "17.0", "17.batch", "17.extern", "17.interactive": a step's name, as Slurm prints it (slurm.h:
// SLURM_*_STEP).
std::string step_name(std::uint32_t job, std::uint32_t step);

}  // namespace cib
