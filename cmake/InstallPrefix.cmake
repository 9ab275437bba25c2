# The plugin has the path of its agent compiled in, so what was configured for one prefix is not installed below another one.
install(CODE "
  if(NOT CMAKE_INSTALL_PREFIX STREQUAL \"${CMAKE_INSTALL_PREFIX}\")
    message(FATAL_ERROR \"configured for ${CMAKE_INSTALL_PREFIX}, where the plugin looks for its agent, and cannot be installed below\"
      \" \${CMAKE_INSTALL_PREFIX}: configure again with -DCMAKE_INSTALL_PREFIX=\${CMAKE_INSTALL_PREFIX}\")
  endif()")
