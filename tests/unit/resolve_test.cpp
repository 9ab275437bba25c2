#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/config.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<Settings> resolved(const char* option, const SiteConfig& site = {}) {
  return resolve(parse_request(option).value(), site);
}

std::string refusal(const char* option, const SiteConfig& site) {
  const auto settings = resolved(option, site);
  if (settings.ok()) return "accepted";
  EXPECT_EQ(settings.error().code, Errc::bad_request);
  return settings.error().what;
}

TEST(Resolve, RequireFollowsFromHowTheModeWasNamed) {
  EXPECT_FALSE(resolved("auto")->require);
  EXPECT_TRUE(resolved("verbs")->require);
  EXPECT_TRUE(resolved("auto,require=yes")->require);
  EXPECT_FALSE(resolved("verbs,require=no")->require);
  EXPECT_FALSE(resolved("none")->require);
}

// plugstack.conf is the administrator's too.
TEST(Resolve, WhatUsersMayNotGiveTheSitesDefaultMay) {
  SiteConfig site;
  site.forbid = {"report"};
  const Request request = parse_request("verbs,report=full,umad=yes,inject=providers,pkey=0x8001").value();
  EXPECT_FALSE(resolve(request, site).ok());
  const auto settings = resolve(request, site, AskedBy::site);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->report, ReportLevel::full);
  EXPECT_TRUE(settings->umad);
  EXPECT_FALSE(resolve(parse_request("vf").value(), site, AskedBy::site).ok())
      << "a mode that is not allowed";
}

TEST(Resolve, TheUserWinsOverTheSiteAndTheSiteOverTheBuiltIn) {
  SiteConfig site;
  EXPECT_EQ(resolved("verbs", site)->rails, 0U);
  site.defaults = {{"rails", "2"}, {"require", "no"}};
  EXPECT_EQ(resolved("verbs", site)->rails, 2U);
  EXPECT_FALSE(resolved("verbs", site)->require);
  EXPECT_EQ(resolved("verbs,rails=4", site)->rails, 4U);
  EXPECT_EQ(resolved("verbs,rails=auto", site)->rails, 0U) << "auto is a value too";
}

TEST(Resolve, AForcedValueReplacesTheUsersAndSaysSo) {
  SiteConfig site;
  site.force = {{"rails", "1"}};
  EXPECT_EQ(resolved("verbs", site)->rails, 1U);
  EXPECT_EQ(resolved("verbs,rails=4", site)->rails, 1U);
  const auto told = [&](const std::string& text) { return forced_over(*parse_request(text), site); };
  EXPECT_THAT(told("verbs,rails=4"),
              ElementsAre("this site sets rails=1 for every job, so yours does not count"));
  EXPECT_THAT(told("verbs"), IsEmpty());
  EXPECT_THAT(told("verbs,place=spread"), IsEmpty());
  EXPECT_THAT(told("verbs,rails=1"), IsEmpty()) << "what the user has asked for";
}

TEST(Resolve, RefusesForbiddenKeysByName) {
  SiteConfig site;
  site.forbid = {"mtu"};
  EXPECT_EQ(refusal("verbs,mtu=2044", site), "--container-ib: key 'mtu' is not allowed at this site");
  EXPECT_EQ(refusal("verbs", site), "accepted");
}

TEST(Resolve, ManagementDatagramsNeedTheSitesConsent) {
  SiteConfig site;
  EXPECT_THAT(refusal("verbs,umad=yes", site), HasSubstr("umad=yes is not allowed"));
  EXPECT_EQ(refusal("verbs,umad=no", site), "accepted");
  site.allow_umad = true;
  EXPECT_TRUE(resolved("verbs,umad=yes", site)->umad);
  EXPECT_THAT(refusal("verbs,inject=providers", site), HasSubstr("inject=providers is not allowed"));
  EXPECT_EQ(refusal("verbs,inject=no", site), "accepted");
  site.allow_inject = true;
  EXPECT_EQ(resolved("verbs,inject=providers", site)->inject, Inject::providers);
}

TEST(Resolve, PkeysComeFromTheSitesList) {
  SiteConfig site;
  EXPECT_EQ(refusal("verbs,pkey=0x8001", site),
            "--container-ib: pkey=0x8001 is not allowed at this site; allowed: none");
  site.pkeys = {0x8001, 0x0002};
  EXPECT_EQ(resolved("verbs,pkey=0x8001", site)->pkey, 0x8001);
  EXPECT_EQ(resolved("verbs,pkey=0x0001", site)->pkey, 0x0001) << "membership is not the user's to choose";
  EXPECT_THAT(refusal("verbs,pkey=0x8003", site), HasSubstr("allowed: 0x8001, 0x0002"));
  site.defaults = {{"pkey", "0x8009"}};
  EXPECT_EQ(resolved("verbs", site)->pkey, 0x8009) << "the site's own default needs no list";
}

TEST(Resolve, ModesAreTheSites) {
  SiteConfig site;
  EXPECT_EQ(resolved("auto", site)->mode, Mode::verbs);
  EXPECT_EQ(refusal("vf", site),
            "--container-ib: mode vf is not allowed at this site; allowed: auto, verbs, none");
  EXPECT_EQ(resolved("none", site)->mode, Mode::none);
  site.modes = {Mode::verbs, Mode::vf};
  site.auto_modes = {Mode::vf, Mode::verbs};
  EXPECT_EQ(resolved("auto", site)->mode, Mode::vf);
  site.auto_modes = {};
  EXPECT_THAT(refusal("auto", site), HasSubstr("allowed: verbs, vf"));
}

}  // namespace
}  // namespace cib
