# Where this Slurm keeps its headers and its plugins. A SPANK plugin fits one major.minor release of Slurm
# (_verify_syms in Slurm's plugin.c), so both come from the machine it is built on.
find_path(SLURM_INCLUDE_DIR slurm/spank.h REQUIRED)

# cib_slurm_plugin_dir(VARIABLE INCLUDE_DIR): the default of PluginDir of the Slurm that has these headers, or nothing.
#
# Slurm's libraries have it compiled in (default_plugin_path), whoever made the package and where; slurm.pc, of SchedMD's RPMs, says
# their folder only, and `scontrol show config` wants a cluster that runs. The folder itself needs Slurm's plugins on this machine,
# and MUNGE's need not be one of them.
function(cib_slurm_plugin_dir variable include_dir)
  get_filename_component(prefix ${include_dir} DIRECTORY)
  set(folders ${prefix}/lib/${CMAKE_LIBRARY_ARCHITECTURE} ${prefix}/lib64 ${prefix}/lib)
  foreach(file libslurm.so libslurm.a slurm/libslurmfull.so slurm-wlm/libslurmfull.so)
    foreach(folder ${folders})
      if(EXISTS ${folder}/${file})
        file(STRINGS ${folder}/${file} found REGEX "^/[^ ]*/lib[^ ]*/slurm(-wlm)?$")
        list(FILTER found EXCLUDE REGEX "^/var/")
        list(REMOVE_DUPLICATES found)
        list(LENGTH found count)
        if(count EQUAL 1)
          set(${variable} ${found} PARENT_SCOPE)
          return()
        endif()
      endif()
    endforeach()
  endforeach()
  foreach(folder ${folders})
    foreach(name slurm-wlm slurm)
      if(EXISTS ${folder}/${name}/auth_munge.so)
        set(${variable} ${folder}/${name} PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
  set(${variable} "" PARENT_SCOPE)
endfunction()

if(NOT SLURM_PLUGIN_DIR)
  cib_slurm_plugin_dir(_cib_plugin_dir ${SLURM_INCLUDE_DIR})
  if(NOT _cib_plugin_dir)
    set(_cib_plugin_dir ${CMAKE_INSTALL_FULL_LIBDIR}/slurm)
    message(WARNING "neither Slurm's library nor its plugins found beside ${SLURM_INCLUDE_DIR}: container_ib.so will be installed into "
      "${_cib_plugin_dir}; if Slurm's PluginDir is another folder, say -DSLURM_PLUGIN_DIR=PATH")
  endif()
  set(SLURM_PLUGIN_DIR ${_cib_plugin_dir} CACHE PATH "Slurm's plugin directory" FORCE)
endif()
message(STATUS "Slurm's plugin directory: ${SLURM_PLUGIN_DIR}")
