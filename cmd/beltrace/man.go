// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manVerb is the hidden verb that writes the man pages: make install and make release call it.
const manVerb = "__man"

// manCmd writes a page for each command. Their date is SOURCE_DATE_EPOCH, so that two builds give the same bytes.
func manCmd() *cobra.Command {
	return &cobra.Command{
		Use:    manVerb + " DIR",
		Hidden: true,
		Args:   oneArg("a directory", "DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := sourceDate()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write man pages: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			for _, sub := range append(root.Commands(), root) {
				sub.Long = markdown(sub.Long)
			}
			h := doc.GenManHeader{Section: "1", Source: "beltrace " + thisBuild().Version, Manual: "beltrace manual", Date: &when}
			if err := doc.GenManTree(root, &h, args[0]); err != nil {
				return fmt.Errorf("write man pages: %w", err)
			}
			return nil
		},
	}
}

// markdown makes a help text what the generator of man pages reads: indented lines stay as they are, and a star is one.
func markdown(help string) string {
	var b strings.Builder
	indented := false
	for line := range strings.Lines(help) {
		was := indented
		indented = strings.HasPrefix(line, "  ")
		switch {
		case indented && !was:
			b.WriteString("\n    " + line)
		case indented:
			b.WriteString("    " + line)
		case was:
			b.WriteString("\n" + strings.ReplaceAll(line, "*", `\*`))
		default:
			b.WriteString(strings.ReplaceAll(line, "*", `\*`))
		}
	}
	return b.String()
}

// sourceDate is the time that reproducible builds agree on; without one it is now.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now().UTC(), nil
	}
	s, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, usagef("SOURCE_DATE_EPOCH is %q, not a number of seconds", text)
	}
	return time.Unix(s, 0).UTC(), nil
}
