"""What tests/mutate changes in C++ text, and what it leaves alone."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from mutations import choose, mutations_of  # noqa: E402  (the path above comes first)


def changes(text):
    return [f"{one.before}>{one.after}" for one in mutations_of("a.cpp", text)]


class Mutations(unittest.TestCase):
    def test_operators_and_constants(self):
        self.assertEqual(changes("if (a < b && !c) return true;"), ["<><=", "&&>||", "!>", "true>false"])
        self.assertEqual(changes("x = y + 0x9fU; ++x; x += 1'000;"), ["+>-", "0x9fU>0xa0U", "++>--", "+=>-=", "1'000>1001"])
        self.assertEqual(changes("y = 1.25 * std::min(z, 8UL);"), ["1.25>2.25", "*>/", "min>max", "8UL>9UL"])
        self.assertEqual(changes("while (c == 'a' || c == '\\n') continue;"), ["==>!=", "'a'>'b'", "||>&&", "==>!=", "'\\n'>'\\t'", "continue>break"])

    def test_a_character_stays_one(self):
        self.assertEqual(changes("'&' '['"), ["'&'>'('", "'['>']'"])

    def test_what_the_compiler_does_not_run(self):
        for text in ("// a < 1\n", "/* 1\n 2 */", '"a < 1"', 'R"(1 " 2)"', "#include <array>\n", "#define N \\\n  1\n",
                     "static_assert(sizeof(int) == 4);", "[[gnu::aligned(8)]]"):  # fmt: skip
            self.assertEqual(changes(text), [], text)
        self.assertEqual(changes('f("1"); // 2\ng(3);'), ["3>4"])

    def test_what_looks_like_an_operator(self):
        for text in ("std::vector<std::pair<A, B>> v;", "const T& a; T&& b; char* c;", "p->x; [&](auto& y) {}", "x = *p; y = &z; z = -w;",
                     "bool operator==(const A& a) const;", "auto operator<=>(const A&) const = default;", "my::min(a);",
                     "Text text() && { return x; }"):  # fmt: skip
            self.assertEqual(changes(text), [], text)

    def test_a_size_within_a_type_is_no_value(self):
        self.assertEqual(changes("std::array<char, 32> text;"), [])
        self.assertEqual(changes("a > 32;"), [">>>=", "32>33"])

    def test_texts_are_only_joined(self):
        self.assertEqual(changes('a + "b" + c; d + e;'), ["+>-"])

    def test_it_knows_where_it_is(self):
        text = "int f() {\n  return a\n      < b;\n}\n"
        (one,) = mutations_of("src/a.cpp", text)
        self.assertEqual(str(one), "src/a.cpp:3:7: < → <=   in   < b;")
        self.assertEqual(one.apply(text), "int f() {\n  return a\n      <= b;\n}\n")


class Choice(unittest.TestCase):
    found = [one for name, n in (("a", 200), ("b", 100), ("c", 20)) for one in mutations_of(name, "1;\n" * n)]

    def test_the_seed_decides(self):
        self.assertEqual(choose(self.found, 1), choose(self.found, 1))
        self.assertNotEqual(choose(self.found, 1), choose(self.found, 2))

    def test_each_is_chosen_once(self):
        self.assertCountEqual(choose(self.found, 1), self.found)

    def test_the_first_are_spread_over_the_files(self):
        for seed in range(20):
            files = [one.file for one in choose(self.found, seed)[:32]]
            for name, share in (("a", 20), ("b", 10), ("c", 2)):
                self.assertAlmostEqual(files.count(name), share, delta=1)


if __name__ == "__main__":
    unittest.main()
