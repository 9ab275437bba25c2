// Slurm's plugin interface, made fit for C++.
//
// spank.h declares the hooks outside of any extern "C", and SPANK_PLUGIN() defines const arrays, which C++
// gives internal linkage: without this file the plugin compiles and Slurm finds none of its symbols.
#pragma once

#define CIB_EXPORT __attribute__((visibility("default")))

extern "C" {
#include <slurm/spank.h>

CIB_EXPORT extern const char plugin_name[];
CIB_EXPORT extern const char plugin_type[];
CIB_EXPORT extern const unsigned int plugin_version;
CIB_EXPORT extern const unsigned int spank_plugin_version;
}
