#include "container_ib/mode.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

const ModeName* row_of(Mode mode) {
  for (const ModeName& row : mode_table)
    if (row.mode == mode) return &row;
  return nullptr;
}

template <class Choose>
std::string names(Choose choose) {
  std::vector<std::string_view> list;
  for (const ModeName& row : mode_table)
    if (choose(row)) list.push_back(row.name);
  return join(list);
}

}  // namespace

std::string_view mode_name(Mode mode) {
  const ModeName* row = row_of(mode);
  return row == nullptr ? "invalid" : row->name;
}

std::optional<Mode> mode_from_name(std::string_view name) {
  for (const ModeName& row : mode_table)
    if (row.name == name) return row.mode;
  return std::nullopt;
}

std::string mode_names() {
  return names([](const ModeName&) { return true; });
}

std::string modes_of_this_version() {
  return names([](const ModeName& row) { return row.is != ModeName::Is::later; });
}

std::vector<Mode> all_modes() {
  std::vector<Mode> list;
  for (const ModeName& row : mode_table)
    if (row.is != ModeName::Is::word) list.push_back(row.mode);
  return list;
}

bool may_be_private(Mode mode) {
  const ModeName* row = row_of(mode);
  return row != nullptr && row->may_be_private;
}

Status check_mode(Mode mode) {
  const ModeName* row = row_of(mode);
  if (row != nullptr && row->is != ModeName::Is::later) return {};
  const std::string name(mode_name(mode));
  return error(Errc::unsupported, "--container-ib=" + name + ": mode " + name +
                                      " is not in this version; available: " + modes_of_this_version());
}

}  // namespace cib
