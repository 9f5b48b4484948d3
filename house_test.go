// SPDX-License-Identifier: Apache-2.0

package beltrace_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is how long a file may be that people wrote.
const maxLines = 400

var (
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	spdx      = regexp.MustCompile(`SPDX-License-Identifier: (Apache-2\.0|\(MIT OR GPL-2\.0-only\))`)
)

// sourceFile is a file that somebody wrote or generated.
type sourceFile struct {
	path string
	text []byte
}

// goFile is what the rules about imports and comments look at.
type goFile struct {
	path, dir string
	test      bool
	pkg       string
	doc       string
	imports   []string
}

// sources returns the files of the tree whose names end so.
func sources(t *testing.T, endings ...string) []sourceFile {
	t.Helper()
	var all []sourceFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "dist"):
			return filepath.SkipDir
		case !d.Type().IsRegular() || !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }):
			return nil
		}
		text, err := os.ReadFile(path)
		all = append(all, sourceFile{filepath.ToSlash(path), text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no file ends in %v", endings)
	}
	return all
}

// goFiles parses the heads of all Go files.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var all []goFile
	for _, s := range sources(t, ".go") {
		f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		g := goFile{path: s.path, dir: strings.TrimPrefix(filepath.ToSlash(filepath.Dir(s.path)), "."),
			test: strings.HasSuffix(s.path, "_test.go"), pkg: f.Name.Name, doc: docText(f)}
		for _, i := range f.Imports {
			if p, err := strconv.Unquote(i.Path.Value); err == nil {
				g.imports = append(g.imports, p)
			}
		}
		all = append(all, g)
	}
	return all
}

// docText is the package comment of a file, without directives.
func docText(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}

// TestPackageComments tests that each package says once what it is.
func TestPackageComments(t *testing.T) {
	comments, code := map[string][]goFile{}, map[string]bool{}
	for _, f := range goFiles(t) {
		pkg := f.dir + " " + strings.TrimSuffix(f.pkg, "_test")
		if _, ok := code[pkg]; !ok || !f.test {
			code[pkg] = code[pkg] || !f.test
		}
		if f.doc != "" {
			comments[pkg] = append(comments[pkg], f)
		}
	}
	for pkg := range code {
		dir, name, _ := strings.Cut(pkg, " ")
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + filepath.Base(dir) + " "
		}
		switch c := comments[pkg]; {
		case len(c) == 0:
			t.Errorf("package %s (%s) has no package comment: one file says what it is for", name, dir)
		case len(c) > 1:
			t.Errorf("package %s (%s) has %d package comments: %s and %s", name, dir, len(c), c[0].path, c[1].path)
		case !strings.HasPrefix(strings.ReplaceAll(c[0].doc, "\n", " "), want):
			t.Errorf("%s: the package comment begins %.30q, want %q", c[0].path, c[0].doc, want)
		}
	}
}

// TestHeaders tests that each file says its licence: the BPF programs' is one that the kernel's helpers accept.
func TestHeaders(t *testing.T) {
	for _, s := range sources(t, ".go", ".c", ".h", ".sh", ".ci/run") {
		line, rest, _ := bytes.Cut(s.text, []byte("\n"))
		if bytes.HasPrefix(line, []byte("#!")) {
			line, _, _ = bytes.Cut(rest, []byte("\n"))
		}
		m := spdx.FindSubmatch(line)
		if m == nil {
			t.Errorf("%s: its first line has no SPDX-License-Identifier", s.path)
			continue
		}
		kernel := strings.HasSuffix(s.path, ".c") || strings.HasSuffix(s.path, ".h")
		if want := map[bool]string{true: "(MIT OR GPL-2.0-only)", false: "Apache-2.0"}[kernel]; string(m[1]) != want {
			t.Errorf("%s: licence %s, want %s", s.path, m[1], want)
		}
	}
}

// TestLength tests that no file grows beyond what one can read at a sitting.
func TestLength(t *testing.T) {
	for _, s := range sources(t, ".go", ".c", ".h", ".sh", ".ci/run") {
		if n := bytes.Count(s.text, []byte("\n")); n > maxLines && !generated.Match(s.text) {
			t.Errorf("%s has %d lines, at most %d: split it by what it holds", s.path, n, maxLines)
		}
	}
}

// maxObject is how long the one file may be that the compiler is given: it names the concerns and does nothing.
const maxObject = 40

// TestObject tests that each header of the programs brings what it needs, so that this list of them stays short.
func TestObject(t *testing.T) {
	for _, s := range sources(t, "bpf/beltrace.bpf.c") {
		if n := bytes.Count(s.text, []byte("\n")); n > maxObject {
			t.Errorf("%s has %d lines, at most %d: let the headers include what they need", s.path, n, maxObject)
		}
	}
}

// differs finds what asks which kernel a program runs on: CO-RE's questions and flavours of a struct, and versions.
var differs = regexp.MustCompile(`\bbpf_core_(?:field|enum|type)_(?:exists|value|size|id|matches)\w*|\b[a-z]\w*___\w+|\b(?:LINUX_)?KERNEL_VERSION\b|__(?:kconfig|ksym|weak)\b`)

// compat is where it may be asked.
const compat = "bpf/compat.bpf.h"

// TestKernelDifferences tests that all that differs between kernels stands in one file.
func TestKernelDifferences(t *testing.T) {
	asked := 0
	for _, s := range sources(t, ".c", ".h") {
		for i, line := range bytes.Split(s.text, []byte("\n")) {
			switch found := differs.Find(line); {
			case found == nil:
			case s.path == compat:
				asked++
			default:
				t.Errorf("%s:%d: %s: make it a getter in %s, with the kernel's version or commit above it", s.path, i+1, found, compat)
			}
		}
	}
	if asked == 0 {
		t.Errorf("%s asks nothing that this test knows", compat)
	}
}
