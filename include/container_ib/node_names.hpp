// Which nodes an entry of the site's file is for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

// A text names nodes as Slurm's host lists do ("login,rack[1-2]n[01-16]"), by globs ("gpu*", "gpu?",
// "n[!ab]") or by both ("rack[01-16]-*"). Brackets with nothing but digits, '-' and ',' in them are numbers
// as in host lists: n[01-16] is n01 to n16 and not n1, n[0-3] is the same either way.

// Ok, or why the text names no nodes: one clause with the text in it. For whoever reads the site's file.
Status check_node_names(std::string_view text);

// Whether one of the texts names that node; a text that names none matches nothing. Linear in the texts times
// the name.
bool names_node(const std::vector<std::string>& texts, std::string_view node);

// Whether one of the texts is for every node, whatever its name: "*".
bool names_every_node(const std::vector<std::string>& texts);

}  // namespace cib
