// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"beltrace/collector/live"
	"beltrace/demos"
	"beltrace/demos/demo"
)

// findDemo returns the demo of that name.
func findDemo(name string) (*demo.Demo, error) {
	var names []string
	for _, d := range demos.All() {
		if d.Name == name {
			return &d, nil
		}
		names = append(names, d.Name)
	}
	if slices.Contains(demo.Groups(), name) {
		return nil, usagef("%s is a group of demos (beltrace demo lists them)", name)
	}
	return nil, usagef("unknown demo %q%s (beltrace demo lists them)", name, didYouMean(name, names))
}

// listDemos lists the demos: no flag means anything for that.
func (a *app) listDemos(c *cobra.Command) error {
	var err error
	c.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case err != nil:
		case f.Name == "compare":
			err = usagef("--compare needs the name of a group: beltrace demo execution --compare")
		default:
			err = usagef("--%s needs the name of a demo (beltrace demo lists them)", f.Name)
		}
	})
	if err != nil {
		return err
	}
	return writeDemos(a.out)
}

// writeDemos lists the demos, by group.
func writeDemos(to io.Writer) error {
	w := bufio.NewWriter(to)
	all := demos.All()
	width := 0
	for _, d := range all {
		width = max(width, len(d.Name))
	}
	for _, group := range demo.Groups() {
		head := true
		for _, d := range all {
			if d.Group != group {
				continue
			}
			if head {
				fmt.Fprintln(w, group)
				head = false
			}
			fmt.Fprintf(w, "  %-*s  %s\n", width, d.Name, d.Summary)
		}
	}
	return w.Flush()
}

// runnable says why this system cannot run a demo, nil if it can.
func runnable(d *demo.Demo) error {
	if d.Missing == nil {
		return nil
	}
	err := d.Missing()
	if err == nil {
		return nil
	}
	return &live.Unsupported{
		What: fmt.Sprintf("demo %s cannot run here: %v", d.Name, err),
		Do:   "run it in the virtual machine (make vm), or 'beltrace replay demo:" + d.Name + "' for its recording",
	}
}
