// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// Parts of the bench. Each has a section of the document, which stays as it was when the part is not run.
const (
	partConnections = "connections"
	partFlood       = "flood"
	partNginx       = nginx
	partGo          = goServer
	partRedis       = redis
	partRing        = ringLoad
	partReady       = "ready"
	partFunctions   = "functions"
)

// parts lists them in the order of the document.
var parts = []string{partConnections, partFlood, partNginx, partGo, partRedis, partRing, partReady, partFunctions}

const title = `# Performance

<!-- Written by ` + "`make bench`" + `: do not edit. -->

What watching costs. Each measurement with a tool stands between two without one; ratios are to these neighbours. Given are
medians of the repetitions, between which the tools' order rotates, and in brackets the smallest and the largest value.
Each part says when and where it was measured; ` + "`make bench PARTS=nginx,redis`" + ` measures only these and keeps the others.
`

// document puts sections together: the new ones, and those of the old document that are not measured anew.
func document(old string, fresh map[string]string) string {
	kept := sections(old)
	var b strings.Builder
	b.WriteString(title)
	for _, part := range parts {
		text, ok := fresh[part]
		if !ok {
			text = kept[part]
		}
		if text != "" {
			fmt.Fprintf(&b, "\n<!-- %s -->\n%s\n", part, strings.TrimSpace(text))
		}
	}
	return b.String()
}

// sections takes a document apart.
func sections(text string) map[string]string {
	out := map[string]string{}
	part := ""
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "<!-- ")
		name = strings.TrimSuffix(name, " -->")
		if ok && slices.Contains(parts, name) {
			part = name
			continue
		}
		if part != "" {
			out[part] += line
		}
	}
	return out
}
