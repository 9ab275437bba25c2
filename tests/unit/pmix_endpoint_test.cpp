#include "container_ib/pmix_endpoint.hpp"

#include <gmock/gmock.h>

namespace cib {
namespace {

TEST(PmixEndpoint, ReadsWhatServersWrite) {
  const auto v4 = parse_pmix_server("slurm.pmix.17.0.0;tcp4://127.0.0.1:34567");
  ASSERT_TRUE(v4.ok()) << v4.error().message();
  EXPECT_EQ(v4->family, IpFamily::v4);
  EXPECT_EQ(v4->address, (std::array<std::uint8_t, 16>{127, 0, 0, 1}));
  EXPECT_EQ(v4->port, 34567);
  EXPECT_EQ(v4->text(), "127.0.0.1:34567");

  const std::array<std::uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  for (const char* value : {"pmix-server.812;tcp6://::1:40000", "pmix-server.812;tcp6://[::1]:40000"}) {
    const auto v6 = parse_pmix_server(value);
    ASSERT_TRUE(v6.ok()) << v6.error().message();
    EXPECT_EQ(v6->family, IpFamily::v6) << value;
    EXPECT_EQ(v6->address, one) << value;
    EXPECT_EQ(v6->text(), "[::1]:40000");
  }
}

TEST(PmixEndpoint, AllOf127IsLoopback) {
  EXPECT_EQ(parse_pmix_server("s.1;tcp4://127.255.0.254:1")->text(), "127.255.0.254:1");
  EXPECT_EQ(parse_pmix_server("s.1;tcp4://127.0.0.1:65535")->port, 65535);
}

TEST(PmixEndpoint, OtherAddressesAreDenied) {
  for (const char* value :
       {"s.1;tcp4://10.0.0.1:34567", "s.1;tcp4://0.0.0.0:34567", "s.1;tcp4://128.0.0.1:34567",
        "s.1;tcp6://::2:34567", "s.1;tcp6://:::34567", "s.1;tcp6://[fe80::1]:34567",
        "s.1;tcp6://::ffff:127.0.0.1:34567", "s.1;tcp6://[::1:34567", "s.1;tcp6://127.0.0.1:34567"}) {
    const auto endpoint = parse_pmix_server(value);
    ASSERT_FALSE(endpoint.ok()) << value;
    EXPECT_EQ(endpoint.error().code, Errc::denied) << value;
  }
}

TEST(PmixEndpoint, AnythingElseIsABadRequest) {
  for (const char* value : {"",
                            ";",
                            "tcp4://127.0.0.1:34567",
                            ";tcp4://127.0.0.1:34567",
                            "s.1;tcp4://127.0.0.1",
                            "s.1;tcp4://127.0.0.1:",
                            "s.1;tcp4://127.0.0.1:0",
                            "s.1;tcp4://127.0.0.1:65536",
                            "s.1;tcp4://127.0.0.1:-1",
                            "s.1;tcp4://127.0.0.1:+1",
                            "s.1;tcp4://127.0.0.1:080",
                            "s.1;tcp4://127.0.0.1: 80",
                            "s.1;tcp4://127.0.0.1:80 ",
                            "s.1;tcp4://127.1:80",
                            "s.1;tcp4://127.0.0.0.1:80",
                            "s.1;tcp4://0177.0.0.1:80",
                            "s.1;tcp4://127.0.0.01:80",
                            "s.1;tcp4://127.0.0.256:80",
                            "s.1;tcp4://127.0.0.x:80",
                            "s.1;tcp4://localhost:80",
                            "s.1;tcp4://:80",
                            "s.1;TCP4://127.0.0.1:80",
                            "s.1;tcp://127.0.0.1:80",
                            "s.1;usock:///tmp/pmix",
                            "s:1:/tmp/pmix-812",
                            "s.1;tcp4://127.0.0.1:80;",
                            "s.1;tcp4://127.0.0.1:80;v4.2",
                            "s.1;tcp4://127.0.0.1:80,127.0.0.2:80",
                            "s.1;tcp4:/127.0.0.1:80",
                            "s.1;tcp4"}) {
    const auto endpoint = parse_pmix_server(value);
    ASSERT_FALSE(endpoint.ok()) << value;
    EXPECT_EQ(endpoint.error().code, Errc::bad_request) << value;
  }
}

TEST(PmixEndpoint, ANulIsNoEndOfTheText) {
  EXPECT_FALSE(parse_pmix_server(std::string_view("s.1;tcp4://127.0.0.1:80\0", 24)).ok());
}

TEST(PmixEndpoint, TheMessageShowsHostileTextAsOneShortLine) {
  const auto endpoint = parse_pmix_server(std::string("s.1;tcp4://\n\x1b[31m") + std::string(5000, 'x'));
  EXPECT_THAT(endpoint.error().message(), testing::HasSubstr("tcp4://\\x0a\\x1b[31m"));
  EXPECT_LT(endpoint.error().message().size(), 200U);
}

TEST(PmixEndpoint, TheVariablesAreThoseOfTcp) {
  EXPECT_THAT(pmix_server_variables(),
              testing::IsSupersetOf({"PMIX_SERVER_URI2", "PMIX_SERVER_URI21", "PMIX_SERVER_URI3",
                                     "PMIX_SERVER_URI4", "PMIX_SERVER_URI41", "PMIX_SERVER_URI51"}));
  EXPECT_THAT(pmix_server_variables(), testing::Not(testing::Contains("PMIX_SERVER_URI")));
}

TEST(Endpoint, TextOfAnyAddress) {
  EXPECT_EQ((TcpEndpoint{.family = IpFamily::v4, .address = {10, 1, 2, 3}, .port = 80}.text()),
            "10.1.2.3:80");
  EXPECT_EQ((TcpEndpoint{.family = IpFamily::v6, .address = {}, .port = 80}.text()), "[::]:80");
  EXPECT_EQ((TcpEndpoint{.family = IpFamily::v6, .address = {0xfe, 0x80}, .port = 80}.text()),
            "[fe80:0000:0000:0000:0000:0000:0000:0000]:80");
}

}  // namespace
}  // namespace cib
