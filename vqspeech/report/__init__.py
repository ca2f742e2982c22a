"""One HTML file that shows what an experiment came to: pictures, tables and audio, from what lies in its folder."""
