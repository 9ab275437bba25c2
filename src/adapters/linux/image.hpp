// What a container image has for MPI over InfiniBand. Its files are read, within limits, and nothing of it is
// run or loaded: it may be anybody's.
#pragma once

#include <string>

#include "container_ib/image.hpp"

namespace cib {

// `root` is an open directory: an unpacked image's, or that of a process in the container. `proc` is one too,
// a /proc that shows this process. `library_path` is LD_LIBRARY_PATH as it is inside. It does not wait for
// anybody, but a file system in the tree may (FUSE): who looks into what is not their own does it in a
// process that can be left behind (in_namespace.hpp), which says what it finds by encode_image().
Result<ImageFacts> look_at_image(int root, int proc, const std::string& library_path);

// The same of the root of a mount namespace, in such a process, for at most five seconds. For programs
// without threads: what reads the image takes memory, which a child of one with threads must not.
Result<ImageFacts> look_at_image_of(int mount_namespace);

}  // namespace cib
