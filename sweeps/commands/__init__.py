"""Commands on sweeps from any terminal or machine that sees their folders; without Ray and MLflow."""
