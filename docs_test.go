// SPDX-License-Identifier: Apache-2.0

package beltrace_test

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestDocs tests that the generated pages of docs/ say what the tables say; `make docs` writes them.
func TestDocs(t *testing.T) {
	testkit.Golden(t, "docs/events.md", eventsPage(t))
	testkit.Golden(t, "docs/probes.md", probesPage())
}

const generatedNote = "<!-- Written by `make docs` from the tables in the code: change those. -->\n\n"

// eventsPage documents the kinds and the fields, with the comments of package event.
func eventsPage(t *testing.T) []byte {
	kinds, fields := constComments(t, "collector/event/kind.go"), eventFields(t)
	var b bytes.Buffer
	b.WriteString("# Events\n\n" + generatedNote)
	b.WriteString("One schema serves `trace --json`, recordings, replays and tests. Every event has `ts` (ns, CLOCK_MONOTONIC) and `event`;\n" +
		"a field that is not known is absent, never 0. The common fields stand in every event for which they are known. Within a schema\n" +
		"number kinds and fields are added, never changed in meaning: a reader passes over what it does not know.\n\n## Kinds\n\n")
	in := map[event.Field][]string{}
	for _, k := range event.Kinds() {
		fmt.Fprintf(&b, "### `%v`\n\n%s\n\n", k, commentOf(t, kinds, k.String()))
		for _, f := range k.Own() {
			in[f] = append(in[f], "`"+k.String()+"`")
		}
		if own := k.Own(); len(own) > 0 {
			fmt.Fprintf(&b, "Its own fields: %s.\n\n", list(own))
		}
	}
	b.WriteString("## Fields\n\n| field | in | meaning |\n|---|---|---|\n")
	for _, f := range event.Fields() {
		if f <= event.FieldRemote {
			in[f] = []string{"any"}
		}
		if len(in[f]) > 0 {
			name := f.String()
			if f == event.FieldInsideNS || f == event.FieldLoopKind { // their names mean something else in other kinds
				name = map[event.Field]string{event.FieldInsideNS: "inside_ns", event.FieldLoopKind: "loop_kind"}[f]
			}
			fmt.Fprintf(&b, "| `%v` | %s | %s |\n", f, strings.Join(in[f], ", "), cell(commentOf(t, fields, name)))
		}
	}
	return b.Bytes()
}

// probesPage documents the table of probes.
func probesPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Probes\n\n" + generatedNote)
	b.WriteString("A probe is one fact that we want from the kernel. Its hooks are tried in this order and the first that attaches is used;\n" +
		"`beltrace doctor` says which one that is here, and why the better ones failed.\n\n" +
		"*Tier* is the best tier that a session can have with that hook; *fidelity* is how true its facts are: exact, derived,\n" +
		"sampled or unknown.\n")
	for _, p := range probes.Table() {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n", p.Name, sentence(p.Why))
		var about []string
		if p.Required {
			about = append(about, "required")
		}
		about = append(about, "set `"+string(p.Set)+"`")
		if len(p.Yields) > 0 {
			about = append(about, "yields "+list(p.Yields))
		}
		if len(p.Facts) > 0 {
			about = append(about, "facts "+list(p.Facts))
		}
		fmt.Fprintf(&b, "%s\n\n| hook | at | tier | fidelity | what it misses |\n|---|---|---|---|---|\n", sentence(strings.Join(about, "; ")))
		for _, h := range p.Hooks {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", h.How, cell(h.At), h.Serves, fidelity(h), cell(h.Note))
		}
	}
	return b.Bytes()
}

// fidelity says a hook's fidelity, and the facts that differ from it.
func fidelity(h probes.Hook) string {
	s := string(h.Fidelity)
	for _, fact := range slices.Sorted(maps.Keys(h.Facts)) {
		s += fmt.Sprintf("; `%s`: %s", fact, h.Facts[fact])
	}
	return s
}

func list[T any](items []T) string {
	var words []string
	for _, i := range items {
		words = append(words, fmt.Sprintf("`%v`", i))
	}
	return strings.Join(words, ", ")
}

// sentence makes a phrase a sentence.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// cell makes text fit a cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}

// constComments returns the comment above each constant of a file, without the name that it begins with.
func constComments(t *testing.T, path string) map[string]string {
	comments := map[string]string{}
	inspect(t, path, func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok && v.Doc != nil {
			_, text, _ := strings.Cut(v.Doc.Text(), ": ")
			comments[key(v.Names[0].Name)] = sentenceCase(text)
		}
	})
	return comments
}

// fieldComments returns the comment beside, or else above, each field of a struct.
func fieldComments(t *testing.T, path, name string) map[string]string {
	comments := map[string]string{}
	inspect(t, path, func(n ast.Node) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			for _, id := range f.Names {
				if comments[key(id.Name)] = f.Comment.Text(); f.Comment == nil {
					comments[key(id.Name)] = f.Doc.Text()
				}
			}
		}
	})
	return comments
}

func inspect(t *testing.T, path string, visit func(ast.Node)) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
}

// commentOf finds the comment of a name as event lines write it; that each has one is part of the test.
func commentOf(t *testing.T, comments map[string]string, name string) string {
	t.Helper()
	text := strings.TrimSpace(cmp.Or(comments[key(name)], comments[key(strings.TrimPrefix(name, "tcp_"))]))
	if text == "" {
		t.Errorf("%s has no comment in collector/event to make its documentation from", name)
	}
	return text
}

// key makes Go's names and those of event lines equal: SYNQueue, syn_queue.
func key(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func sentenceCase(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// eventFields returns the comments of every field of an event, those of its parts among them.
func eventFields(t *testing.T) map[string]string {
	all := fieldComments(t, "collector/event/event.go", "Event")
	maps.Copy(all, fieldComments(t, "collector/event/parts.go", "Space"))
	maps.Copy(all, fieldComments(t, "collector/event/parts.go", "ThreadTimes"))
	maps.Copy(all, fieldComments(t, "collector/event/parts.go", "Moves"))
	maps.Copy(all, fieldComments(t, "collector/event/parts.go", "Outcome"))
	maps.Copy(all, fieldComments(t, "collector/event/uring.go", "Uring"))
	maps.Copy(all, fieldComments(t, "collector/event/parts.go", "LoopTimes"))
	return all
}
