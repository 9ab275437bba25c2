// The form of a command: it adds itself to the command line and, when it was the chosen one, sets the exit
// code.
#pragma once

#include <CLI/CLI.hpp>

namespace cib::cli {

inline constexpr int fine = 0;
inline constexpr int finding = 1;  // the answer is no: nothing eligible, a broken file, a leftover
inline constexpr int usage = 2;    // the question makes no sense

using AddCommand = void (*)(CLI::App& app, int& exit_code);

void add_attach(CLI::App& app, int& exit_code);
void add_cdi(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_check_config(CLI::App& app, int& exit_code);
void add_detach(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_list(CLI::App& app, int& exit_code);
void add_oci(CLI::App& app, int& exit_code);
void add_plan(CLI::App& app, int& exit_code);
void add_reap(CLI::App& app, int& exit_code);
void add_topo(CLI::App& app, int& exit_code);

}  // namespace cib::cli
