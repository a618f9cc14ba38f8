"""The stores and models of others, under the same loads; each runs in an environment of its own."""
