# One interface target carries the language rules of every target of ours.
add_library(cib_flags INTERFACE)
target_include_directories(cib_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_options(cib_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wcast-qual -Wformat=2 -Wundef
  -fstack-protector-strong -fvisibility=hidden)
if(CIB_WERROR)
  target_compile_options(cib_flags INTERFACE -Werror)
endif()
target_link_options(cib_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(CMAKE_UNITY_BUILD)  # the one is another file's, the other what gcc 12 says of std::string when it sees much at once
  target_compile_options(cib_flags INTERFACE -Wno-shadow -Wno-subobject-linkage -Wno-array-bounds)
endif()
# Distributions' own flags may ask for more.
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT CIB_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "_FORTIFY_SOURCE")
  target_compile_definitions(cib_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(CIB_SANITIZE)
  target_compile_options(cib_flags INTERFACE -fsanitize=${CIB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(cib_flags INTERFACE -fsanitize=${CIB_SANITIZE})
endif()

# What starts with every step brings its part of the C++ library: loading all of it takes longer than what is done there.
# The sanitizers want the shared one.
add_library(cib_own_cxx INTERFACE)
if(NOT CIB_SANITIZE)
  target_link_options(cib_own_cxx INTERFACE -static-libstdc++ -static-libgcc)
endif()
