@rem O mesmo que start.bat, com um nome que o cmd não confunde com o seu comando start.
@"%~dp0start.bat" %*
