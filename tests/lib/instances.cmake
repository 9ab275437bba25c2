# Tests on the testbed: every function test_* of every file test_*.py of a folder is a test of the folder's tier, on each
# instance that the file names in a line INSTANCE = "..."; on the tier's first one if it names none. One boot serves all tests
# of an instance.
#
# What takes too long to be run each time has the label soak instead: functions soak_*, and on an instance that the line of
# the function, or the file's INSTANCE, ends with as "# soak: NAME", what is run each time on another one.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(CIB_TESTBED ${PROJECT_SOURCE_DIR}/contrib/testbed/testbed)
set(CIB_TESTBED_TESTS ${CMAKE_CURRENT_LIST_DIR})

# cib_suite(SUITE [OPTION...]): the fixture that its instances need: trees, programs and this checkout, built there.
function(cib_suite suite)
  add_test(NAME testbed.${suite} COMMAND ${CIB_TESTBED_TESTS}/testbed_build.sh ${suite} ${ARGN})
  set_tests_properties(testbed.${suite} PROPERTIES FIXTURES_SETUP testbed-${suite} TIMEOUT 2400)
endfunction()

# cib_functions(tier file instance default suffix lock): the tests of one file, if they are for this instance.
function(cib_functions tier file instance default suffix lock)
  set(instances ${default})
  file(STRINGS ${file} of_file REGEX "^INSTANCE = \"")
  if(of_file)
    string(REGEX REPLACE "^INSTANCE = \"([^\"]*)\".*" "\\1" instances ${of_file})
    separate_arguments(instances)
  endif()
  if(NOT instance IN_LIST instances)
    return()
  endif()
  get_filename_component(module ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "" area ${module})
  file(STRINGS ${file} functions REGEX "^def (test|soak)_")
  foreach(line ${functions})
    string(REGEX REPLACE "^def ([a-z0-9_]+).*" "\\1" function ${line})
    string(REGEX REPLACE "^(test|soak)_(.*)" "\\2" what ${function})
    set(label ${tier})
    set(timeout 600)
    if(function MATCHES "^soak_" OR "${of_file}" MATCHES "# soak: ${instance}$" OR line MATCHES "# soak: ${instance}$")
      set(label soak)
      set(timeout 14400)
    else()
      set(CIB_TIER_OF_INSTANCE ${tier} PARENT_SCOPE)
    endif()
    set(name ${label}.${area}.${what})
    if(suffix MATCHES "trixie$")
      set(name ${name}.trixie)
    endif()
    if(TEST ${name})  # on another instance of the suite
      set(name ${name}${suffix})
    endif()
    add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${CIB_TESTBED_TESTS}/run_test
             ${CMAKE_CURRENT_SOURCE_DIR} ${module} ${function} ${instance})
    set_tests_properties(${name} PROPERTIES
      LABELS ${label} FIXTURES_REQUIRED ${instance} RESOURCE_LOCK ${lock} SKIP_RETURN_CODE 77 TIMEOUT ${timeout})
  endforeach()
endfunction()

# cib_instance(TIER NAME SUITE SUFFIX LOCK [OPTION...]): an instance of `testbed up OPTION...` and the tests of this folder on
# it. Instances that have a lock in common are up one after the other where one job of ctest runs them, in the order of these
# calls. DEPENDS between them would say it too, and ctest 3.25 would need all memory there is: it walks every path to every
# test.
function(cib_instance tier name suite suffix lock)
  set(CIB_TIER_OF_INSTANCE soak)  # unless it has a test of the tier
  file(GLOB files CONFIGURE_DEPENDS test_*.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(up ${CIB_TESTBED_TESTS}/testbed_up.sh ${name} --suite ${suite} ${ARGN})
  add_test(NAME ${tier}.up${suffix} COMMAND ${up})
  foreach(file ${files})
    cib_functions(${tier} ${file} ${name} "${CIB_DEFAULT_INSTANCE}" "${suffix}" ${lock})
  endforeach()
  add_test(NAME ${tier}.down${suffix} COMMAND ${CIB_TESTBED} down --name ${name})
  set_tests_properties(${tier}.up${suffix} PROPERTIES
    LABELS ${CIB_TIER_OF_INSTANCE} FIXTURES_SETUP ${name} FIXTURES_REQUIRED testbed-${suite} RESOURCE_LOCK ${lock} TIMEOUT 600)
  set_tests_properties(${tier}.down${suffix} PROPERTIES LABELS ${CIB_TIER_OF_INSTANCE} FIXTURES_CLEANUP ${name} TIMEOUT 60)
endfunction()
