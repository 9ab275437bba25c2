// CMake precompiles headers for a target only that has a source.
#include <gtest/gtest.h>
