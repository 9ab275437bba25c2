# What was compiled once, in any checkout and in the testbed's trees, comes out of ccache, where there is one: it sees paths below the
# checkout as relative ones, and compilers by their content. GCC's precompiled headers need the rest (ccache's manual, "Precompiled
# headers").
find_program(CIB_CCACHE ccache)
if(CIB_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_COMPILERCHECK=content
      CCACHE_SLOPPINESS=locale,pch_defines,time_macros,include_file_mtime,include_file_ctime ${CIB_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()
