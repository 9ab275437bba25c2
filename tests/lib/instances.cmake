# Tests on the testbed: every function test_* of every file test_*.py of a folder is a test of the folder's tier, on each
# instance that the file names in a line INSTANCE = "...", on the folder's default ones if it names none; and, of instances that
# there are of several suites, on those of the suites in a line SUITES = "...", if there is one. One boot serves all tests of
# an instance.
#
# What takes too long to be run each time has the label soak instead: functions soak_*, and on an instance that the line of
# the function, or the file's INSTANCE, ends with as "# soak: NAME", what is run each time on another one.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(CIB_TESTBED ${PROJECT_SOURCE_DIR}/contrib/testbed/testbed)
set(CIB_TESTBED_TESTS ${CMAKE_CURRENT_LIST_DIR})

# cib_suite(SUITE [OPTION...]): the fixture that its instances need: trees, programs and this checkout, built there.
function(cib_suite suite)
  add_test(NAME testbed.${suite} COMMAND ${CIB_TESTBED_TESTS}/testbed_build.sh ${suite} ${ARGN})
  set_tests_properties(testbed.${suite} PROPERTIES LABELS testbed FIXTURES_SETUP testbed-${suite} TIMEOUT 2400)
endfunction()

# cib_words(variable file key default): what the file says in a line KEY = "WORD WORD...".
function(cib_words variable file key default)
  set(words ${default})
  file(STRINGS ${file} line REGEX "^${key} = \"")
  if(line)
    string(REGEX REPLACE "^${key} = \"([^\"]*)\".*" "\\1" words ${line})
    separate_arguments(words)
  endif()
  set(${variable} ${words} PARENT_SCOPE)
endfunction()

# cib_functions(file): the tests of one file, if they are for the instance that cib_instance makes.
function(cib_functions file)
  cib_words(instances ${file} INSTANCE "${CIB_DEFAULT_INSTANCES}")
  cib_words(suites ${file} SUITES ${ARG_SUITE})
  if(NOT ARG_KIND IN_LIST instances OR NOT ARG_SUITE IN_LIST suites)
    return()
  endif()
  get_filename_component(module ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "" area ${module})
  file(STRINGS ${file} of_file REGEX "^INSTANCE = \"")
  file(STRINGS ${file} functions REGEX "^def (test|soak)_")
  foreach(line ${functions})
    string(REGEX REPLACE "^def ([a-z0-9_]+).*" "\\1" function ${line})
    string(REGEX REPLACE "^(test|soak)_(.*)" "\\2" what ${function})
    set(label ${tier})
    set(timeout 600)
    if(function MATCHES "^soak_" OR "${of_file}" MATCHES "# soak: ${ARG_KIND}$" OR line MATCHES "# soak: ${ARG_KIND}$")
      set(label soak)
      set(timeout 14400)
    else()
      set(CIB_TIER_OF_INSTANCE ${tier} PARENT_SCOPE)
    endif()
    set(name ${label}.${area}.${what})
    if(NOT ARG_SUITE STREQUAL bookworm)
      set(name ${name}.${ARG_SUITE})
    endif()
    if(TEST ${name})  # on another instance of the suite
      set(name ${name}${ARG_SUFFIX})
    endif()
    add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${CIB_TESTBED_TESTS}/run_test
             ${CMAKE_CURRENT_SOURCE_DIR} ${module} ${function} ${instance})
    set_tests_properties(${name} PROPERTIES
      LABELS ${label} FIXTURES_REQUIRED ${instance} RESOURCE_LOCK ${ARG_LOCK} SKIP_RETURN_CODE 77 TIMEOUT ${timeout})
  endforeach()
endfunction()

# cib_instance(TIER NAME KIND name SUITE name SUFFIX text LOCK name OPTIONS option...): an instance of `testbed up OPTION...`, and
# the tests of this folder for its kind, as files name it. Instances that have a lock in common are up one after the other
# where one job of ctest runs them, in the order of these calls. DEPENDS between them would say it too, and ctest 3.25 would
# need all memory there is: it walks every path to every test.
function(cib_instance tier instance)
  cmake_parse_arguments(ARG "" "KIND;SUITE;SUFFIX;LOCK" "OPTIONS" ${ARGN})
  set(CIB_TIER_OF_INSTANCE soak)  # unless it has a test of the tier
  file(GLOB files CONFIGURE_DEPENDS test_*.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(up ${CIB_TESTBED_TESTS}/testbed_up.sh ${instance} --suite ${ARG_SUITE} ${ARG_OPTIONS})
  add_test(NAME ${tier}.up${ARG_SUFFIX} COMMAND ${up})
  foreach(file ${files})
    cib_functions(${file})
  endforeach()
  add_test(NAME ${tier}.down${ARG_SUFFIX} COMMAND ${CIB_TESTBED} down --name ${instance})
  set_tests_properties(${tier}.up${ARG_SUFFIX} PROPERTIES LABELS ${CIB_TIER_OF_INSTANCE} TIMEOUT 600
    FIXTURES_SETUP ${instance} FIXTURES_REQUIRED testbed-${ARG_SUITE} RESOURCE_LOCK ${ARG_LOCK})
  set_tests_properties(${tier}.down${ARG_SUFFIX} PROPERTIES LABELS ${CIB_TIER_OF_INSTANCE} TIMEOUT 60
    FIXTURES_CLEANUP ${instance})
endfunction()
