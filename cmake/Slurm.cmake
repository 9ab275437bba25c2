# Where this Slurm keeps its headers and its plugins. A SPANK plugin fits one major.minor release of Slurm
# (_verify_syms in Slurm's plugin.c), so both come from the machine it is built on.
find_path(SLURM_INCLUDE_DIR slurm/spank.h REQUIRED)
set(_cib_plugin_dirs ${CMAKE_INSTALL_FULL_LIBDIR}/slurm-wlm ${CMAKE_INSTALL_FULL_LIBDIR}/slurm
    /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/slurm-wlm /usr/lib64/slurm /usr/lib/slurm)
find_path(SLURM_PLUGIN_DIR auth_munge.so PATHS ${_cib_plugin_dirs} NO_DEFAULT_PATH)
if(NOT SLURM_PLUGIN_DIR)
  set(SLURM_PLUGIN_DIR ${CMAKE_INSTALL_FULL_LIBDIR}/slurm-wlm CACHE PATH "Slurm's plugin directory" FORCE)
  message(WARNING "no Slurm plugins found on this machine: container_ib.so will be installed into ${SLURM_PLUGIN_DIR}; "
    "if Slurm's PluginDir is another folder, say -DSLURM_PLUGIN_DIR=PATH")
endif()
