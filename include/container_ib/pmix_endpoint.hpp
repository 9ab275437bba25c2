// Where the PMIx server of a step listens, as the variables that it puts in a task's environment say it.
#pragma once

#include <string_view>
#include <vector>

#include "container_ib/endpoint.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Variables with the URI of the server's TCP listener: a server sets one per protocol version that it speaks,
// and a client takes the newest that it knows (pmix_ptl_base_set_peer). The Unix sockets of PMIx 1 and 2
// (PMIX_SERVER_URI, PMIX_SERVER_URI2USOCK) are not among them: they are reached from any network namespace.
const std::vector<std::string_view>& pmix_server_variables();

// The endpoint in such a variable's value, "NAMESPACE.RANK;tcp4://127.0.0.1:34567" or
// "NAMESPACE.RANK;tcp6://::1:40000" (its address may be in brackets). The text is the user's: what is not
// exactly of this form, which is what PMIx' own client takes (pmix_ptl_base_parse_uri), is bad_request, and
// an address that is not a loopback one is denied.
Result<TcpEndpoint> parse_pmix_server(std::string_view value);

}  // namespace cib
