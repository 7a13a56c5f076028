"""The LightningModules that join encoder and objective."""
