// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const completionLong = `Print the completion script of a shell.

  bash        source <(beltrace completion bash)
  zsh         beltrace completion zsh > "${fpath[1]}/_beltrace"
  fish        beltrace completion fish > ~/.config/fish/completions/beltrace.fish
  powershell  beltrace completion powershell | Out-String | Invoke-Expression`

// completionCmd prints completion scripts.
func completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script of a shell",
		Long:      completionLong,
		Args:      oneArg("a shell", strings.Join(shells, "|")),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			root, out := c.Root(), c.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usagef("unknown shell %q (known: %s)", args[0], strings.Join(shells, ", "))
		},
	}
}
