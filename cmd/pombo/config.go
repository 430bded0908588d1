package main

import (
	"pombo/internal/config"
)

type configCommand struct{}

func (configCommand) Help() string {
	return `It connects to nothing. With problems it ends with 78, and lists them all, each with what to do. docs/configuration.md explains every name.

Examples:

    pombo config
    pombo config --env-file /etc/pombo/pombo.env`
}

func (configCommand) Run(s *shell) error {
	c, err := s.load(config.NeedAll)
	if printErr := c.Print(s.stdout); printErr != nil {
		return printErr
	}
	return err
}
