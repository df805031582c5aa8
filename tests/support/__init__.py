"""What tests are built from: builders for messages, fake peers, matchers, fixtures."""
